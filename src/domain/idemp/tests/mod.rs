//! Tests of the family.

pub(crate) mod encoding;
pub(crate) mod harness;
pub(crate) mod properties;
pub(crate) mod scenarios;
pub(crate) mod seen_ids;
