//! What rules a key: its policy, and the server's own limit.

use crate::domain::cache::{Class, DEFAULT_LEASE, Early, Policies, Policy, Terms, UNRULED};
use crate::module_api::random;
use crate::module_api::server_string::Name;

use crate::commands::cache::stats;
use crate::runtime::global_tables;
use crate::runtime::settings::CACHE_MAX_VALUE;

fn policy(key: Name<'_>) -> (Policy, Class) {
    global_tables::read::<Policies, _>(|all| match all.of(key.bytes()) {
        Some((prefix, policy)) => (*policy, stats::class_of_prefix(all, prefix)),
        None => (Policy::default(), UNRULED),
    })
}

/// Chance costs a call of the server, so it is asked only where something is left to it.
fn chance(policy: &Policy) -> u64 {
    if policy.is_left_to_chance() { random::number() } else { 0 }
}

/// The terms of a value under this key, and where it is counted.
pub fn of(key: Name<'_>) -> (Terms, Class) {
    let (policy, class) = policy(key);
    (Terms { policy, limit: CACHE_MAX_VALUE.get() as usize, chance: chance(&policy) }, class)
}

/// The terms of a load.
pub struct Load {
    /// In milliseconds.
    pub lease: u64,
    /// Whether it may come before a value is stale.
    pub early: Option<Early>,
    /// Where it is counted.
    pub class: Class,
}

/// The terms of a load under this key.
pub fn of_load(key: Name<'_>) -> Load {
    let (policy, class) = policy(key);
    let early = policy.early.filter(|beta| *beta > 0);
    let early = early.map(|beta| Early { beta, chance: chance(&policy) });
    Load { lease: policy.lease.unwrap_or(DEFAULT_LEASE), early, class }
}
