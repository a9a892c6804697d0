//! Decides ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::state::leases::Lease;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// An ACQUIRE with all of its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquire<'a> {
    pub holder: &'a [u8],
    /// How many places there are, 1 to 10,000.
    pub max: u64,
    /// The length of the lease in ms.
    pub lease: u64,
    /// TOKEN: renew the place with this token, and take no other.
    pub token: Option<u64>,
}

/// The answer of ACQUIRE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireOutcome {
    pub allowed: bool,
    pub in_use: u64,
    pub max: u64,
    /// Until a place is free and no lock holds; 0 if allowed.
    pub retry_after_ms: u64,
    /// The token of the place; 0 if denied.
    pub token: u64,
}

/// Decides RATELIMIT.ACQUIRE: leases one of `max` places. A holder renews its own lease and keeps
/// its token, even if `max` is lower by now. A place that was lost and acquired again has another
/// token.
///
/// Returns `FENCED` if the call names a token that is not the token of a live lease of the holder.
pub fn decide_acquire(
    state: Option<&Subject>,
    call: &Acquire<'_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<AcquireOutcome, Effect>, Refusal> {
    let Acquire { holder, max, lease, .. } = *call;
    let leases = state.and_then(Subject::restrictions).map(|restrictions| &restrictions.leases);
    let in_use = leases.map_or(0, |leases| leases.in_use(now)) as u64;
    let held = leases.and_then(|leases| leases.live(holder, now));
    if call.token.is_some_and(|token| held.is_none_or(|held| held.token != token)) {
        return Err(fenced(holder));
    }
    let locked = state.and_then(|subject| subject.lock(now)).map_or(0, |lock| lock.until - now);
    let wait_for_place = if held.is_none() && in_use >= max {
        // Leases above `max` must end first.
        leases.and_then(|leases| leases.end_after(now, in_use - max)).map_or(0, |end| end - now)
    } else {
        0
    };
    let retry_after_ms = locked.max(wait_for_place);
    if retry_after_ms > 0 {
        let outcome = AcquireOutcome { allowed: false, in_use, max, retry_after_ms, token: 0 };
        return Ok(Decision::answer(outcome));
    }
    let until = now.saturating_add(lease);
    let in_use = in_use + u64::from(held.is_none());
    let token = held.map_or_else(|| tokens.next(now), |held| held.token);
    let outcome = AcquireOutcome { allowed: true, in_use, max, retry_after_ms: 0, token };
    if held == Some(Lease { end: until, at: now, token }) {
        return Ok(Decision::answer(outcome));
    }
    Ok(Decision::change(outcome, Effect::Acquired { now, holder: holder.into(), until, token }))
}

/// Whether `holder` has a place at `now`.
pub fn has_place(state: Option<&Subject>, holder: &[u8], now: UnixMs) -> bool {
    let restrictions = state.and_then(Subject::restrictions);
    restrictions.is_some_and(|restrictions| restrictions.leases.live(holder, now).is_some())
}

fn fenced(holder: &[u8]) -> Refusal {
    let text = format!("the place of '{}' has another token, or was lost", shown(holder));
    Refusal::new(Code::Fenced, text)
}

/// Decides RATELIMIT.RELEASE: frees the place of the holder. Replies whether it had one.
///
/// Returns `FENCED` if the call names a token and the place has another.
pub fn decide_release(
    state: Option<&Subject>,
    holder: &[u8],
    token: Option<u64>,
    now: UnixMs,
) -> Result<Decision<bool, Effect>, Refusal> {
    let restrictions = state.and_then(Subject::restrictions);
    let Some(held) = restrictions.and_then(|restrictions| restrictions.leases.live(holder, now)) else {
        return Ok(Decision::answer(false));
    };
    if token.is_some_and(|token| token != held.token) {
        return Err(fenced(holder));
    }
    Ok(Decision::change(true, Effect::Released { now, holder: holder.into() }))
}

/// Decides RATELIMIT.LOCK: denies everything for `length` ms from now. Replaces an earlier lock.
pub fn decide_lock(state: Option<&Subject>, length: u64, now: UnixMs) -> Decision<(), Effect> {
    let lock = Lock::new(now, length);
    if state.and_then(|subject| subject.lock(now)) == Some(lock) {
        return Decision::answer(());
    }
    Decision::change((), Effect::Locked { lock, level: None })
}

/// Decides RATELIMIT.UNLOCK: ends a lock and resets the LOCKOUT level. Replies whether there was a
/// lock.
pub fn decide_unlock(state: Option<&Subject>, now: UnixMs) -> Decision<bool, Effect> {
    let Some(restrictions) = state.and_then(Subject::restrictions) else { return Decision::answer(false) };
    let locked = restrictions.lock.is_some_and(|lock| lock.until > now);
    let level = restrictions.level.is_some_and(|level| level.until > now);
    if locked || level { Decision::change(locked, Effect::Unlocked) } else { Decision::answer(false) }
}

#[cfg(test)]
#[path = "../tests/acquire.rs"]
mod tests;
