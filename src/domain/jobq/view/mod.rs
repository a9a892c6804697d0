//! What read-only commands show.

pub(crate) mod breakdown;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod glob;
pub(crate) mod groups;
pub(crate) mod job_and_stats;
pub(crate) mod list;
pub(crate) mod result;
