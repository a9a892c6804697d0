//! Workgate.
pub mod domain;
