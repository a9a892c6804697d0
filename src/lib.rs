//! Workgate.
pub mod domain;
pub mod server;
