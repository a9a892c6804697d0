//! What rules a key: its policy, and the server's own limit.

use crate::domain::cache::{
    CachePolicies, CachePolicy, DEFAULT_LEASE, EarlyRefreshDraw, EffectivePolicy, NO_POLICY, StatsClass,
};
use crate::module_api::random;
use crate::module_api::server_string::ServerStr;

use crate::commands::cache::stats;
use crate::runtime::global_tables;
use crate::runtime::settings::CACHE_MAX_VALUE;

fn policy(key: ServerStr<'_>) -> (CachePolicy, StatsClass) {
    global_tables::read::<CachePolicies, _>(|all| match all.longest_match(key.bytes()) {
        Some((prefix, policy)) => (*policy, stats::class_of_prefix(all, prefix)),
        None => (CachePolicy::default(), NO_POLICY),
    })
}

/// Draws a random number only if the policy needs one: the draw is a call into the server.
fn draw_if_needed(policy: &CachePolicy) -> u64 {
    if policy.needs_random() { random::number() } else { 0 }
}

/// The terms of a value under this key, and where it is counted.
pub fn for_value(key: ServerStr<'_>) -> (EffectivePolicy, StatsClass) {
    let (policy, class) = policy(key);
    (
        EffectivePolicy { policy, limit: CACHE_MAX_VALUE.get() as usize, random: draw_if_needed(&policy) },
        class,
    )
}

/// The terms of a load.
pub struct LoadTerms {
    /// In milliseconds.
    pub lease: u64,
    /// Whether a fresh value may be reloaded early.
    pub early: Option<EarlyRefreshDraw>,
    /// Where it is counted.
    pub class: StatsClass,
}

/// The terms of a load under this key.
pub fn for_load(key: ServerStr<'_>) -> LoadTerms {
    let (policy, class) = policy(key);
    let early = policy.early.filter(|beta| *beta > 0);
    let early = early.map(|beta| EarlyRefreshDraw { beta, random: draw_if_needed(&policy) });
    LoadTerms { lease: policy.lease.unwrap_or(DEFAULT_LEASE), early, class }
}
