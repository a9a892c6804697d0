//! The binary forms of effects and of saved values.

pub(crate) mod breakdown;
pub(crate) mod dependencies;
pub(crate) mod effect;
pub(crate) mod fields;
pub(crate) mod group_controls;
pub(crate) mod new_job;
pub(crate) mod pop;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod shared_rate;
