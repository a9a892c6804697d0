//! The binary forms of effects and of saved values.

pub(crate) mod extras;
pub(crate) mod limit;
pub(crate) mod subject;
