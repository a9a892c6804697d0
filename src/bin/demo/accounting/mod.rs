//! What was planned, answered and run, and the equations that compare them.

pub mod equations;
pub mod handler_log;
pub mod planned_outcome;
pub mod queue_stats;
pub mod reply_counts;
