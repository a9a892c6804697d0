//! The module as its users see it: a real server, real connections. See `tests/support/mod.rs`.

#[path = "../support/mod.rs"]
mod support;

mod harness;
