//! `workgate work` beside a real server.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod chance;
mod cluster;
mod handlers;
mod http;
mod https;
mod kills;
mod moving;
mod operate;
mod permissions;
mod process;
mod producer;
mod shards;
mod shared_rate;
#[cfg(feature = "otlp")]
mod spans;
mod steps;
mod stopping;
