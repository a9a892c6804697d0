//! Floor 3: the commands. Each parses its arguments, lets its family decide, commits and replies.
//!
//! [`table`] is the one list of them: registration, COMMAND DOCS and the docs pages come from it.

mod aftermath;
mod apply;
mod arguments;
mod breaker;
mod cache;
mod commit;
mod digest;
mod eviction;
mod idemp;
mod jobq;
pub mod load;
mod policy_file;
mod ratelimit;
mod seen;
mod settings;
mod stored;
mod table;
mod tables;
#[cfg(feature = "test-commands")]
mod testing;
mod tick;
mod waiting;
mod world;
