//! Tests of the family.

pub(crate) mod clock_set_back;
pub(crate) mod properties;
pub(crate) mod strategies;
