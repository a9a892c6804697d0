//! GETSET and GET: a value, or the one token with which to fill it.

use super::effect::Effect;
use super::entry::{Entry, NEVER};
use crate::domain::decision::Decision;
use crate::domain::time::{SECOND, UnixMs};
use crate::domain::token::TokenClock;

/// How long a filler has, unless LEASE says otherwise.
pub const DEFAULT_LEASE: u64 = 10 * SECOND;

/// A GETSET.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetSet {
    /// In milliseconds.
    pub lease: u64,
}

/// What GETSET answers. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Fresh; `left` is `None` without a TTL.
    Hit { value: Box<[u8]>, left: Option<u64> },
    /// Stale, and the caller is to reload it.
    Refresh { value: Box<[u8]>, token: u64, lease: u64 },
    /// Stale, and somebody else reloads it; `retry` is when their lease ends.
    Stale { value: Box<[u8]>, retry: u64 },
    /// Nothing there, and the caller is to load it.
    Fill { token: u64, lease: u64 },
    /// Nothing there, and somebody else loads it.
    Busy { retry: u64 },
}

/// A token outlives its lease by as much again, so that a load that was slow is still stored.
const KEPT: u64 = 2;

/// Decides a GETSET. Of all that come while nothing is there, exactly one gets the token.
pub fn decide_getset(
    state: Option<&Entry>,
    request: &GetSet,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<Answer, Effect> {
    if let Some(fresh) = state.and_then(|entry| entry.fresh(now)) {
        let left = (fresh.fresh_until != NEVER).then(|| fresh.fresh_until - now);
        return Decision::answer(Answer::Hit { value: fresh.value.clone(), left });
    }
    let stale = state.and_then(|entry| entry.usable(now)).map(|filled| filled.value.clone());
    if let Some(lease) = state.and_then(|entry| entry.leased(now)) {
        let retry = lease.until - now;
        return Decision::answer(match stale {
            Some(value) => Answer::Stale { value, retry },
            None => Answer::Busy { retry },
        });
    }
    // Never below what this entry has seen, whatever the clock.
    let seen = state.map_or(0, crate::domain::value::Value::highest_token);
    let token = tokens.next(now).max(seen + 1);
    let lease = request.lease;
    let effect = Effect::Lease { token, until: now + lease, kept_until: now + KEPT * lease };
    let answer = match stale {
        Some(value) => Answer::Refresh { value, token, lease },
        None => Answer::Fill { token, lease },
    };
    Decision::change(answer, effect)
}

/// The value if it is fresh; for GET, which never hands out a token.
pub fn get(state: Option<&Entry>, now: UnixMs) -> Option<&[u8]> {
    state.and_then(|entry| entry.fresh(now)).map(|filled| &*filled.value)
}
