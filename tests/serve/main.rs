//! What `workgate serve` and `workgate work --listen` show over HTTP, beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod health;
mod http;
mod metrics;
mod program;
