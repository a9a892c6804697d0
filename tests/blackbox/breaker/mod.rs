//! BREAKER.

mod lifecycle;
mod refusals;
