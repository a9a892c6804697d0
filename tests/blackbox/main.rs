//! The module as its users see it: a real server, real connections. See `tests/support/mod.rs`.

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod breaker;
mod cache;
mod faults;
mod idemp;
mod jobq;
mod persistence;
mod ratelimit;
mod surface;
