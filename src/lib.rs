//! Workgate: rate limits, idempotency, background jobs and caching as native, atomic commands of
//! Redis and Valkey.
//!
//! # Layout
//!
//! Four layers; imports run one way (`tests/architecture/` guards it).
//!
//! ```text
//! commands/     one file per command or small group, the command table, module_init
//!    |
//! runtime/      the way of a write and of a wait; knows no family
//!    |    \
//!    |     module_api/   everything unsafe, everything of the module API; knows no command
//!    v
//! domain/       pure state machines: decide, apply, view; `now` is a parameter
//! bin/          the worker and the demo: speak RESP only, use none of the layers
//! ```
//!
//! A write takes this way, and there is no other:
//!
//! 1. a handler in `commands` reads its arguments;
//! 2. `decide` of its family in `domain` answers and says what would change (an *effect*);
//! 3. `runtime/commit.rs` replicates the effect as an internal `_APPLY` command (where it follows
//!    from the command and the time alone: as the command itself, see
//!    `runtime/replicated_clock.rs`) and applies it;
//! 4. clients that wait for the key are served (`module_api/blocking`).
//!
//! Replicas, the AOF loader and AOF rewrites only ever apply effects, so they cannot differ from
//! the primary.

#[deny(unsafe_code)]
mod commands;
#[forbid(unsafe_code)]
mod domain;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod module_api;
#[deny(unsafe_code)]
mod runtime;

use crate::commands::module_init::init;
use crate::module_api::allocator::ServerAllocator;

redis_module::redis_module! {
    name: "workgate",
    version: 1,
    allocator: (ServerAllocator, ServerAllocator),
    data_types: [],
    init: init,
    commands: [],
}
