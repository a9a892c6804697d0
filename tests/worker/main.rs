//! `workgate work` beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod handlers;
mod http;
mod permissions;
mod process;
mod shards;
mod stopping;
