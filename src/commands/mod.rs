//! The commands. Each parses its arguments, lets its family decide, commits and replies.
//!
//! [`table`] is the one list of them: registration and COMMAND DOCS come from it.

pub(crate) mod admin;
pub(crate) mod args;
pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod idemp;
pub(crate) mod info_fields;
pub(crate) mod jobq;
pub(crate) mod module_init;
pub(crate) mod policy_commands;
pub(crate) mod ratelimit;
pub(crate) mod server_events;
pub(crate) mod setting_value;
pub(crate) mod table;
