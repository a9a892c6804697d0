//! The feed: a file with one webhook delivery a line.

pub mod delivery;
pub mod feed_counts;
pub mod generate;
pub mod payloads;
pub mod rng;
