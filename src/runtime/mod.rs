//! What all commands go through: commit, blocking, replication, module data.

pub(crate) mod apply_command;
pub(crate) mod blocking;
pub(crate) mod commit;
pub(crate) mod counters;
pub(crate) mod eviction;
pub(crate) mod global_state;
pub(crate) mod global_tables;
pub(crate) mod handler;
pub(crate) mod in_use;
pub(crate) mod replicated_clock;
pub(crate) mod settings;
pub(crate) mod time_zone_files;
pub(crate) mod token_clock;
pub(crate) mod value_type;
