//! The value under a key and its parts. They decide nothing.

pub(crate) mod backoff;
pub(crate) mod config;
pub(crate) mod dependencies;
pub(crate) mod group_controls;
pub(crate) mod id_index;
pub(crate) mod job;
pub(crate) mod job_header;
pub(crate) mod job_id;
pub(crate) mod job_log;
pub(crate) mod job_page;
pub(crate) mod job_table;
pub(crate) mod lifetime;
pub(crate) mod new_job;
pub(crate) mod pause;
pub(crate) mod payload;
pub(crate) mod schedules;
pub(crate) mod serial;
pub(crate) mod shared_rate;
pub(crate) mod totals;
pub(crate) mod unique_keys;
