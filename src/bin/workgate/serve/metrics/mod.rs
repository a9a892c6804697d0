//! `/metrics`: what Prometheus asks for.

mod breakers;
pub mod caches;
mod family;
mod format;
mod names;
mod queues;
mod scrape;
mod server_counters;

pub use scrape::answer;
