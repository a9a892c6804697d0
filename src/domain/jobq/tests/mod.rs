//! Tests of the family.

pub(crate) mod batch_steps;
pub(crate) mod bounded_work;
pub(crate) mod breakdown;
pub(crate) mod encoding;
pub(crate) mod encoding_blocks;
pub(crate) mod encoding_of_dependencies;
pub(crate) mod encoding_of_effects;
pub(crate) mod encoding_of_groups;
pub(crate) mod event_replay;
pub(crate) mod harness;
pub(crate) mod lifecycle;
pub(crate) mod lingering;
pub(crate) mod list;
pub(crate) mod model;
pub(crate) mod operator_steps;
pub(crate) mod properties;
pub(crate) mod random_steps;
pub(crate) mod schedule_bounds;
pub(crate) mod schedules;
pub(crate) mod schedules_over_time;
pub(crate) mod shared_rates;
pub(crate) mod untrusted_input;
pub(crate) mod update;
