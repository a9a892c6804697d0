//! Black-box tests in three lines: a real server per test, spoken to in RESP.
//!
//! ```ignore
//! let s = server!();
//! s.ok("RATELIMIT.CHECK u 10/1m").is(list![1, 10, 9, 0, 60_000]);
//! s.refuses("RATELIMIT.CHECK u 0/1m", "ERR");
//! ```
//!
//! | environment | meaning | default |
//! | --- | --- | --- |
//! | `WORKGATE_SERVER` | path of the server's program, or `docker:IMAGE` | `redis-server`, else `valkey-server` on PATH |
//! | `WORKGATE_MODULE` | absolute path of the module | the `libworkgate.so` of the build the test belongs to |
//! | `WORKGATE_SOAK`, `WORKGATE_SEED`, `WORKGATE_FIGURES` | see `soak.rs` | |
//!
//! A [`Server`] has its own port and directory and is killed when dropped. Nothing here sleeps for
//! a fixed time: [`eventually`] waits on a condition, [`Server::waits`] on the server's word that a
//! client is blocked.

// Each test binary uses its own part of the support code.
#![allow(dead_code, unused_imports, unused_macros)]

mod aof_rewrites;
mod blocked_client;
mod client;
mod cluster;
mod command;
mod command_file;
mod digests;
mod dump;
mod eventually;
mod every_state;
mod expectation;
mod link;
mod load;
mod preload;
mod program;
mod replication_stream;
mod reply;
mod soak;
mod test_server;
mod unit;
mod untouched;
mod wire;

pub use aof_rewrites::nothing_is_lost_across_rewrites;
pub use blocked_client::Waiter;
pub use client::Client;
pub use cluster::Cluster;
pub use command::{Arg, Command};
pub use command_file::{frame, numbers, server_on_commands, try_on_commands};
pub use digests::Snapshot;
pub use dump::Dump;
pub use eventually::{DEADLINE, eventually};
pub use every_state::write_every_state;
pub use expectation::{Want, any, anything_but_nil, nil, status, text, token, within};
pub use link::Link;
pub use load::{Fact, Load, Told};
pub use preload::Preload;
pub use program::{Program, module};
pub use replication_stream::Stream;
pub use reply::{Reply, decode};
pub use soak::{Random, figure, scaled, scaled_to};
pub use test_server::{SPINS, Server, Start};
pub use unit::Unit;
pub use untouched::Untouched;
pub use wire::Wire;

/// Starts a server with the module: `server!()` or `server!("appendonly yes", "hz 100")`.
macro_rules! server {
    ($($option:expr),* $(,)?) => { $crate::support::Server::start(&[$($option),*]) };
}

/// A command of any bytes: `cmd!["JOBQ.PUSH", b"q\0", 5]`.
macro_rules! cmd {
    ($($part:expr),* $(,)?) => { vec![$($crate::support::Arg::bytes(&$part)),*] };
}

/// An expected array; its items are numbers, bulk strings, or any other [`Want`].
macro_rules! list {
    ($($item:expr),* $(,)?) => { $crate::support::Want::List(vec![$($crate::support::Want::from($item)),*]) };
}

pub(crate) use {cmd, list, server};
