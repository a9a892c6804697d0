//! `workgate work` beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod cluster;
mod handlers;
mod http;
mod operate;
mod permissions;
mod process;
mod shards;
mod shared_rate;
mod stopping;
