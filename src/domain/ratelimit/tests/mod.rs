//! Tests of the family.

pub(crate) mod properties;
pub(crate) mod strategies;
