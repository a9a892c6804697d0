//! SET: a value is stored, unless its token was superseded.

use super::effect::Effect;
use super::entry::{Entry, Lease, NEVER};
use crate::domain::decision::Decision;
use crate::domain::time::UnixMs;

/// A SET. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set<'a> {
    pub value: &'a [u8],
    /// The token of the FILL or REFRESH that this answers; without one the value is stored whatever
    /// anybody else is doing.
    pub token: Option<u64>,
    /// How long it is fresh; without one for ever.
    pub ttl: Option<u64>,
    /// How long after that it is still served while it is reloaded.
    pub grace: u64,
}

/// Decides a SET: true when the value is stored (or was, by the same SET before), false when the
/// token is superseded or its key was deleted meanwhile.
pub fn decide_set(state: Option<&Entry>, set: &Set<'_>, now: UnixMs) -> Decision<bool, Effect> {
    if let Some(token) = set.token
        && !state.and_then(|entry| entry.lease.as_ref()).is_some_and(|lease| lease.grants(token))
    {
        // A client that lost its connection sends the same again.
        let stored_before = state
            .and_then(|entry| entry.filled.as_ref())
            .is_some_and(|filled| filled.by == token && *filled.value == *set.value);
        return Decision::answer(stored_before);
    }
    let fresh_until = set.ttl.map_or(NEVER, |ttl| now + ttl);
    let effect = Effect::Fill {
        by: set.token.unwrap_or(0),
        fresh_until,
        stale_until: fresh_until.saturating_add(set.grace),
        value: set.value.into(),
    };
    Decision::change(true, effect)
}

/// Decides to give a lease back, after which the next client is asked to fill, at once or after
/// `delay` milliseconds; false when the token is not that of the lease.
pub fn decide_release(state: Option<&Entry>, token: u64, delay: u64, now: UnixMs) -> Decision<bool, Effect> {
    match state.and_then(|entry| entry.lease.as_ref()) {
        Some(lease) if lease.grants(token) => {
            let until = (delay > 0).then(|| now + delay);
            Decision::change(true, Effect::Release { until })
        }
        _ => Decision::answer(false),
    }
}

impl Lease {
    /// Whether a token is that of this lease, run out or not: it works until superseded.
    pub(super) fn grants(&self, token: u64) -> bool {
        token != 0 && self.token == token
    }
}
