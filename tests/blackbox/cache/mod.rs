//! CACHE.

mod events;
mod expiry;
mod getset;
mod invalidate;
mod meta;
mod plain_string;
mod policy;
mod refusals;
mod stats;
