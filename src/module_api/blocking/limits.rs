//! How many clients may wait.

use crate::module_api::config::Number;

/// How many clients may wait for one key.
pub static MAX_WAITERS_PER_KEY: Number = Number::new("max-waiters-per-key", 20_000, 0, 1_000_000);
/// How many clients may wait in all.
pub static MAX_WAITERS: Number = Number::new("max-waiters", 100_000, 0, 10_000_000);
