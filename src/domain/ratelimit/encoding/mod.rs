//! The binary forms of effects and of saved values.

pub(crate) mod limit;
pub(crate) mod restrictions;
pub(crate) mod subject;
