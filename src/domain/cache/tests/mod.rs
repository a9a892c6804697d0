//! Tests of the family.

pub(crate) mod encoding;
pub(crate) mod expiry;
pub(crate) mod harness;
pub(crate) mod model;
pub(crate) mod policy_scenarios;
pub(crate) mod properties;
pub(crate) mod scenarios;
