//! Workgate: rate limits, idempotency, background jobs and caching as native, atomic commands of
//! Redis and Valkey.
//!
//! # Layout
//!
//! Three floors; imports run downwards only (`tests/floors.rs` guards it).
//!
//! ```text
//! commands/    floor 3   parse -> decide -> commit -> reply, one file for each small group
//!    |    \              table.rs is the one list of commands
//!    |     server/       floor 2: everything unsafe, everything of the module API; knows no command
//!    v
//! domain/      floor 1   pure state machines: decide, apply, view; `now` is a parameter
//! bin/                   the worker and the demo: speak RESP only, use none of the floors
//! ```
//!
//! A write takes this way, and there is no other:
//!
//! 1. a handler in [`commands`] reads its arguments;
//! 2. `decide` of its family in [`domain`] answers and says what would change (an *effect*);
//! 3. `commands/commit.rs` replicates the effect as an internal `_APPLY` command (where it follows from the command
//!    and the time alone: as the command itself, see `commands/tick.rs`) and applies it;
//! 4. clients that wait for the key are served (`server/waiters`).
//!
//! Replicas, the AOF loader and AOF rewrites only ever apply effects, so they cannot differ from
//! the primary.

pub mod commands;
pub mod domain;
pub mod server;

use commands::load::init;
use server::alloc::ServerAllocator;

redis_module::redis_module! {
    name: "workgate",
    version: 1,
    allocator: (ServerAllocator, ServerAllocator),
    data_types: [],
    init: init,
    commands: [],
}
