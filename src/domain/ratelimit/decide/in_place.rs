//! Decides a plain CHECK of one unnamed limit that the subject holds, where it lies: without a
//! request, a verdict and an effect in between. It answers as [`super::check::decide_check`] does,
//! which a property test compares.

use crate::domain::ratelimit::MAX_SHOWN;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::state::packed_bucket::PackedBucket;
use crate::domain::ratelimit::state::subject::{LimitStorage, Subject};
use crate::domain::ratelimit::state::usage::LimitUsage;
use crate::domain::time::UnixMs;

/// The numbers of the reply, after the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneLimitAnswer {
    /// What the call has taken; 0 if it is denied.
    pub taken: u64,
    pub capacity: u64,
    pub remaining: u64,
    /// 0 if the call is allowed, -1 if it can never pass.
    pub retry_after_ms: i64,
    pub reset_after_ms: u64,
}

/// What an allowed call changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneLimitChange {
    /// The time at which the bucket owes nothing, in ms and a fraction.
    Bucket {
        at: UnixMs,
        part: u64,
    },
    Window {
        rule: Rule,
        cost: u64,
        now: UnixMs,
    },
}

/// Decides a call of `cost`, at least 1. Returns `None` where only the general way knows: another
/// limit, several, a lock, a clock that was set back, numbers beyond 64 bits.
#[inline]
pub fn decide_in_place(
    subject: &Subject,
    limit: &Limit<'_>,
    cost: u64,
    now: UnixMs,
) -> Option<(OneLimitAnswer, Option<OneLimitChange>)> {
    if limit.name.is_some() {
        return None;
    }
    match &subject.0 {
        LimitStorage::Bucket(bucket) if bucket.is_of(&limit.rule) => {
            decide_bucket(bucket, &limit.rule, cost, now)
        }
        LimitStorage::Many(many) => match &many[..] {
            [held] if held.name.is_none() && held.rule == limit.rule => decide_window(held, cost, now),
            _ => None,
        },
        _ => None,
    }
}

/// The arithmetic of [`crate::domain::ratelimit::algorithm::token_bucket`], in 64 bits.
#[inline]
fn decide_bucket(
    packed: &PackedBucket,
    rule: &Rule,
    cost: u64,
    now: UnixMs,
) -> Option<(OneLimitAnswer, Option<OneLimitChange>)> {
    let Rule { count, period_ms, .. } = *rule;
    let capacity = rule.capacity();
    let (at, part) = packed.short_tat()?;
    let debt = if at < now { 0 } else { (at - now).checked_mul(count)?.checked_add(part)? };
    let full = capacity.checked_mul(period_ms)?;
    if debt > full {
        return None;
    }
    let used = debt.div_ceil(period_ms);
    let after = cost.checked_mul(period_ms).and_then(|cost| cost.checked_add(debt));
    if let Some(after) = after.filter(|after| *after <= full) {
        let (ms, part) = (after / count, after % count);
        let answer = OneLimitAnswer {
            taken: cost,
            capacity,
            remaining: capacity.saturating_sub(used + cost),
            retry_after_ms: 0,
            reset_after_ms: (ms + u64::from(part > 0)).min(MAX_SHOWN),
        };
        return Some((answer, Some(OneLimitChange::Bucket { at: now.checked_add(ms)?, part })));
    }
    let reset_after_ms = if at < now { 0 } else { at - now + u64::from(part > 0) };
    let retry_after_ms = match capacity.checked_sub(cost) {
        // The room is smaller than the debt, or the call would be allowed.
        Some(room) => (debt - room * period_ms).div_ceil(count).min(reset_after_ms).min(MAX_SHOWN) as i64,
        None => -1,
    };
    let remaining = capacity.saturating_sub(used);
    let reset_after_ms = reset_after_ms.min(MAX_SHOWN);
    Some((OneLimitAnswer { taken: 0, capacity, remaining, retry_after_ms, reset_after_ms }, None))
}

fn decide_window(
    held: &LimitUsage,
    cost: u64,
    now: UnixMs,
) -> Option<(OneLimitAnswer, Option<OneLimitChange>)> {
    let rule = held.rule;
    if rule.kind != LimitKind::Window || held.is_ahead(now) {
        return None;
    }
    let status = held.evaluate(&rule, cost, now);
    let capacity = rule.capacity();
    let is_allowed = status.retry_after_ms == Some(0);
    let (used, reset_after_ms) = match is_allowed {
        true => (status.used + cost, held.reset_after_taking(&rule, cost, now)),
        false => (status.used, status.reset_after_ms),
    };
    let answer = OneLimitAnswer {
        taken: if is_allowed { cost } else { 0 },
        capacity,
        remaining: capacity.saturating_sub(used),
        retry_after_ms: status.retry_after_ms.map_or(-1, |retry| retry.min(MAX_SHOWN) as i64),
        reset_after_ms: reset_after_ms.min(MAX_SHOWN),
    };
    Some((answer, is_allowed.then_some(OneLimitChange::Window { rule, cost, now })))
}

impl Subject {
    /// Charges the only limit of the subject, on which the change was decided.
    #[inline]
    pub fn change_in_place(&mut self, change: OneLimitChange) {
        match (&mut self.0, change) {
            (LimitStorage::Bucket(bucket), OneLimitChange::Bucket { at, part }) => {
                bucket.set_short_tat(at, part);
            }
            (LimitStorage::Many(many), OneLimitChange::Window { rule, cost, now }) => {
                if let [held] = &mut many[..] {
                    held.take(&rule, None, cost, now);
                }
            }
            _ => debug_assert!(false, "a change of another subject"),
        }
    }
}

#[cfg(test)]
#[path = "../tests/in_place.rs"]
mod tests;
