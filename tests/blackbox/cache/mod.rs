//! CACHE.

mod expiry;
mod getset;
mod invalidate;
mod plain_string;
mod policy;
mod refusals;
mod stats;
