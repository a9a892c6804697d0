//! The feed: a file with one webhook delivery a line.

pub mod bodies;
pub mod census;
pub mod chance;
pub mod delivery;
pub mod generate;
