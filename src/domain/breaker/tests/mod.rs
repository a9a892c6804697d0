//! Tests of the family.

pub(crate) mod encoding;
pub(crate) mod properties;
