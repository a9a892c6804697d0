//! Deciding ACQUIRE, RELEASE, LOCK and UNLOCK.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::time::UnixMs;

/// What ACQUIRE answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    pub allowed: bool,
    pub in_use: u64,
    pub most: u64,
    /// Until the next place is free, or a lock ends; 0 when allowed.
    pub retry_after_ms: u64,
}

/// RATELIMIT.ACQUIRE: one of `most` places (1 to 10,000) for `lease` ms. Who holds one renews it, even where
/// there are fewer places by now.
pub fn decide_acquire(
    state: Option<&Subject>,
    holder: &[u8],
    most: u64,
    lease: u64,
    now: UnixMs,
) -> Decision<Places, Effect> {
    let leases = state.and_then(Subject::extras).map(|extras| &extras.leases);
    let in_use = leases.map_or(0, |leases| leases.in_use(now)) as u64;
    let held = leases.and_then(|leases| leases.end_of(holder, now));
    let locked = state.and_then(|subject| subject.lock(now)).map_or(0, |lock| lock.until - now);
    let full = if held.is_none() && in_use >= most {
        // The places above `most` have to become free first.
        leases.and_then(|leases| leases.end_after(now, in_use - most)).map_or(0, |end| end - now)
    } else {
        0
    };
    let retry_after_ms = locked.max(full);
    if retry_after_ms > 0 {
        return Decision::answer(Places { allowed: false, in_use, most, retry_after_ms });
    }
    let until = now.saturating_add(lease);
    let in_use = in_use + u64::from(held.is_none());
    let places = Places { allowed: true, in_use, most, retry_after_ms: 0 };
    if held == Some(until) {
        return Decision::answer(places);
    }
    Decision::change(places, Effect::Acquired { now, holder: holder.into(), until })
}

/// RATELIMIT.RELEASE: whether the holder had a place, which is free now.
pub fn decide_release(state: Option<&Subject>, holder: &[u8], now: UnixMs) -> Decision<bool, Effect> {
    let held = state.and_then(Subject::extras).and_then(|extras| extras.leases.end_of(holder, now));
    match held {
        None => Decision::answer(false),
        Some(_) => Decision::change(true, Effect::Released { now, holder: holder.into() }),
    }
}

/// RATELIMIT.LOCK: denies everything for `length` ms from now, instead of any lock before.
pub fn decide_lock(state: Option<&Subject>, length: u64, now: UnixMs) -> Decision<(), Effect> {
    let lock = Lock::new(now, length);
    if state.and_then(|subject| subject.lock(now)) == Some(lock) {
        return Decision::answer(());
    }
    Decision::change((), Effect::Locked { lock, level: None })
}

/// RATELIMIT.UNLOCK: ends a lock and forgets how often there was one. Answers whether there was a lock.
pub fn decide_unlock(state: Option<&Subject>, now: UnixMs) -> Decision<bool, Effect> {
    let Some(extras) = state.and_then(Subject::extras) else { return Decision::answer(false) };
    let locked = extras.lock.is_some_and(|lock| lock.until > now);
    let level = extras.level.is_some_and(|level| level.until > now);
    if locked || level { Decision::change(locked, Effect::Unlocked) } else { Decision::answer(false) }
}

#[cfg(test)]
#[path = "../tests/acquire.rs"]
mod tests;
