//! Decides ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::time::UnixMs;

/// The answer of ACQUIRE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireOutcome {
    pub allowed: bool,
    pub in_use: u64,
    pub max: u64,
    /// Until a place is free and no lock holds; 0 if allowed.
    pub retry_after_ms: u64,
}

/// Decides RATELIMIT.ACQUIRE: leases one of `max` places (1 to 10,000) for `lease` ms. A holder
/// renews its own lease, even if `max` is lower by now.
pub fn decide_acquire(
    state: Option<&Subject>,
    holder: &[u8],
    max: u64,
    lease: u64,
    now: UnixMs,
) -> Decision<AcquireOutcome, Effect> {
    let leases = state.and_then(Subject::restrictions).map(|restrictions| &restrictions.leases);
    let in_use = leases.map_or(0, |leases| leases.in_use(now)) as u64;
    let held = leases.and_then(|leases| leases.end_of(holder, now));
    let locked = state.and_then(|subject| subject.lock(now)).map_or(0, |lock| lock.until - now);
    let wait_for_place = if held.is_none() && in_use >= max {
        // Leases above `max` must end first.
        leases.and_then(|leases| leases.end_after(now, in_use - max)).map_or(0, |end| end - now)
    } else {
        0
    };
    let retry_after_ms = locked.max(wait_for_place);
    if retry_after_ms > 0 {
        return Decision::answer(AcquireOutcome { allowed: false, in_use, max, retry_after_ms });
    }
    let until = now.saturating_add(lease);
    let in_use = in_use + u64::from(held.is_none());
    let places = AcquireOutcome { allowed: true, in_use, max, retry_after_ms: 0 };
    if held == Some(until) {
        return Decision::answer(places);
    }
    Decision::change(places, Effect::Acquired { now, holder: holder.into(), until })
}

/// Decides RATELIMIT.RELEASE: frees the place of the holder. Replies whether it had one.
pub fn decide_release(state: Option<&Subject>, holder: &[u8], now: UnixMs) -> Decision<bool, Effect> {
    let held = state
        .and_then(Subject::restrictions)
        .and_then(|restrictions| restrictions.leases.end_of(holder, now));
    match held {
        None => Decision::answer(false),
        Some(_) => Decision::change(true, Effect::Released { now, holder: holder.into() }),
    }
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
