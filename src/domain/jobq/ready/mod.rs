//! The jobs that are ready, in the order in which POP serves them.

pub(crate) mod aging;
pub(crate) mod batches;
pub(crate) mod group_index;
pub(crate) mod group_runs;
pub(crate) mod priority_lanes;
pub(crate) mod ready_queue;
pub(crate) mod serving_order;
pub(crate) mod sorted_set;
