//! BREAKER.

mod lifecycle;
mod quorum;
mod refusals;
