//! What has happened in a queue.

pub(crate) mod diary;
pub(crate) mod event;
pub(crate) mod event_log;
pub(crate) mod minute_counts;
