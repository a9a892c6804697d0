//! What a CHECK or PEEK answers.

use crate::domain::ratelimit::UNLIMITED;
use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::lockout::{LOCK_NAME, Lock};
use crate::domain::time::UnixMs;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Durations and amounts in a reply end here: 2^53 - 2, so that every client language holds them and
/// BRIEF's "never" (minus 2^53 - 1) stays apart.
pub const MAX_SHOWN: u64 = (1 << 53) - 2;

/// One limit of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRow<'a> {
    limit: Limit<'a>,
    /// What the call takes of it, if it passes.
    pub cost: u64,
    /// Whether this limit lets the call pass; another one may not.
    pub allowed: bool,
    /// A bucket's burst, the count of any other kind.
    pub capacity: u64,
    pub remaining: u64,
    /// How long the period lasts; a calendar period differs from one to the next.
    pub period_ms: u64,
    /// 0 when this limit allows, -1 when it never can.
    pub retry_after_ms: i64,
    pub reset_after_ms: u64,
    /// May be above the capacity when the limit was lowered.
    pub used: u64,
    /// Where it lets the call pass: what `reset_after_ms` is once the call has taken its cost.
    pub(crate) reset_after_taking: u64,
}

impl<'a> LimitRow<'a> {
    #[inline]
    pub(crate) fn new(limit: Limit<'a>, cost: u64, standing: LimitStatus, period_ms: u64) -> Self {
        let retry = standing.retry_after_ms.map(|retry| retry.min(MAX_SHOWN) as i64);
        LimitRow {
            limit,
            cost,
            allowed: retry == Some(0),
            capacity: limit.rule.capacity(),
            remaining: remaining(&limit.rule, standing.used),
            period_ms,
            retry_after_ms: retry.unwrap_or(-1),
            reset_after_ms: standing.reset_after_ms.min(MAX_SHOWN),
            used: standing.used,
            reset_after_taking: 0,
        }
    }

    /// How a lock stands: it denies until it ends.
    pub(crate) fn locked(lock: &Lock, now: UnixMs) -> Self {
        let period_ms = (lock.until - lock.from).min(MAX_SHOWN);
        let left = lock.until.saturating_sub(now);
        let standing = LimitStatus { used: 0, retry_after_ms: Some(left), reset_after_ms: left };
        let rule = Rule { count: 0, period_ms, kind: LimitKind::Fixed };
        LimitRow::new(Limit { name: Some(LOCK_NAME), rule }, 0, standing, period_ms)
    }

    /// As the row is once the call has taken its cost.
    pub(crate) fn apply_cost(&mut self) {
        self.used = (self.used + self.cost).min(UNLIMITED);
        self.remaining = remaining(&self.limit.rule, self.used);
        self.reset_after_ms = self.reset_after_taking.min(MAX_SHOWN);
    }

    /// As the row is for a call that was allowed before and has taken so much then.
    pub(crate) fn mark_granted(&mut self, taken: u64) {
        (self.cost, self.allowed, self.retry_after_ms) = (taken, true, 0);
    }

    /// Whether it shows a lock instead of a limit.
    pub fn is_lock(&self) -> bool {
        self.limit.name == Some(LOCK_NAME)
    }

    /// The given name, or the canonical spec of an unnamed limit.
    pub fn name(&self) -> Cow<'a, [u8]> {
        match self.limit.name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.spec().into_bytes()),
        }
    }

    /// The canonical spec, without the name; `lock` of a lock.
    pub fn spec(&self) -> String {
        if self.is_lock() { "lock".into() } else { self.limit.rule.spec() }
    }

    /// Less binds more: denied before allowed; among the denied -1 first, then the longest retry; among
    /// the allowed the smallest remaining/capacity, compared exactly.
    fn binds_before(&self, other: &Self) -> bool {
        let order = self.allowed.cmp(&other.allowed).then_with(|| {
            if self.allowed {
                let left = |a: &Self, b: &Self| u128::from(a.remaining) * u128::from(b.capacity);
                left(self, other).cmp(&left(other, self))
            } else {
                let wait = |row: &Self| u64::try_from(row.retry_after_ms).unwrap_or(u64::MAX);
                wait(other).cmp(&wait(self))
            }
        });
        order == Ordering::Less
    }
}

fn remaining(rule: &Rule, used: u64) -> u64 {
    match rule.capacity() {
        UNLIMITED => UNLIMITED,
        capacity => capacity.saturating_sub(used),
    }
}

/// The answer: a row per limit, in the order of the call, and the one that binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict<'a> {
    rows: OneOrMany<LimitRow<'a>>,
    binding: usize,
    /// What a call takes that passes although it was denied (SHADOW).
    shadow: Option<u64>,
}

impl<'a> CheckVerdict<'a> {
    #[inline]
    pub(crate) fn new(rows: OneOrMany<LimitRow<'a>>) -> Self {
        let binding = match rows.as_slice() {
            [_] => 0,
            list => (1..list.len())
                .fold(0, |first, next| if list[next].binds_before(&list[first]) { next } else { first }),
        };
        CheckVerdict { rows, binding, shadow: None }
    }

    /// The same answer for a call that passes all the same.
    pub(crate) fn with_shadow_cost(mut self, cost: u64) -> Self {
        self.shadow = Some(cost);
        self
    }

    /// Whether every limit allows.
    #[cfg(test)]
    pub fn allowed(&self) -> bool {
        self.binding().is_none_or(|row| row.allowed)
    }

    /// The limit that binds; the first of equals. None when there are no limits at all (a PEEK without
    /// limits at a subject that holds none).
    pub fn binding(&self) -> Option<&LimitRow<'a>> {
        self.rows().get(self.binding)
    }

    /// What is taken of the binding limit: its cost, or 0 when denied.
    pub fn taken_cost(&self) -> u64 {
        let allowed = |row: &LimitRow<'_>| if row.allowed { row.cost } else { 0 };
        self.shadow.unwrap_or_else(|| self.binding().map_or(0, allowed))
    }

    pub fn rows(&self) -> &[LimitRow<'a>] {
        self.rows.as_slice()
    }
}
