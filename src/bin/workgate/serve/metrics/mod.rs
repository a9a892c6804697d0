//! `/metrics`: what Prometheus asks for.

mod breakers;
mod caches;
mod family;
mod format;
mod queues;
mod scrape;
mod server_counters;

pub use scrape::answer;
