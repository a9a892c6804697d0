//! `workgate work` beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod permissions;
mod process;
mod shards;
