//! What rules a key: its policy, and the server's own limit.

use crate::domain::cache::{DEFAULT_LEASE, Early, Policies, Policy, Terms};
use crate::server::chance;
use crate::server::name::Name;

use crate::commands::settings::CACHE_MAX_VALUE;
use crate::commands::tables;

fn policy(key: Name<'_>) -> Policy {
    tables::read::<Policies, _>(|all| all.of(key.bytes()).map(|(_, policy)| *policy)).unwrap_or_default()
}

/// Chance costs a call of the server, so it is asked only where something is left to it.
fn chance(policy: &Policy) -> u64 {
    if policy.is_left_to_chance() { chance::number() } else { 0 }
}

/// The terms of a value under this key.
pub fn of(key: Name<'_>) -> Terms {
    let policy = policy(key);
    Terms { policy, limit: CACHE_MAX_VALUE.get() as usize, chance: chance(&policy) }
}

/// The lease of a load under this key, ms, and whether it may come early.
pub fn of_load(key: Name<'_>) -> (u64, Option<Early>) {
    let policy = policy(key);
    let early = policy.early.filter(|beta| *beta > 0);
    (policy.lease.unwrap_or(DEFAULT_LEASE), early.map(|beta| Early { beta, chance: chance(&policy) }))
}
