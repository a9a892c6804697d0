//! The answer of a CHECK or PEEK.

use crate::domain::ratelimit::MAX_SHOWN;
use crate::domain::ratelimit::UNLIMITED;
use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::lockout::{LOCK_NAME, Lock};
use crate::domain::time::UnixMs;
use std::borrow::Cow;
use std::cmp::Ordering;

/// One limit in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRow<'a> {
    limit: Limit<'a>,
    /// What the call charges this limit if the call is allowed.
    pub cost: u64,
    /// Whether this limit allows the call. Another limit may deny it.
    pub allowed: bool,
    /// The burst of a bucket; the count of any other kind.
    pub capacity: u64,
    pub remaining: u64,
    /// The length of the period. Calendar periods differ in length.
    pub period_ms: u64,
    /// 0 if this limit allows, -1 if it never can.
    pub retry_after_ms: i64,
    pub reset_after_ms: u64,
    /// Exceeds the capacity if the limit was lowered.
    pub used: u64,
    /// If the limit allows: the value of `reset_after_ms` after the call was charged.
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

    /// The row of a lock, which denies until it ends.
    pub(crate) fn locked(lock: &Lock, now: UnixMs) -> Self {
        let period_ms = (lock.until - lock.from).min(MAX_SHOWN);
        let left = lock.until.saturating_sub(now);
        let standing = LimitStatus { used: 0, retry_after_ms: Some(left), reset_after_ms: left };
        let rule = Rule { count: 0, period_ms, kind: LimitKind::Fixed };
        LimitRow::new(Limit { name: Some(LOCK_NAME), rule }, 0, standing, period_ms)
    }

    /// Changes the row to the state after the call was charged.
    pub(crate) fn apply_cost(&mut self) {
        self.used = (self.used + self.cost).min(UNLIMITED);
        self.remaining = remaining(&self.limit.rule, self.used);
        self.reset_after_ms = self.reset_after_taking.min(MAX_SHOWN);
    }

    /// Changes the row for a call that was allowed earlier and took `taken` then.
    pub(crate) fn mark_granted(&mut self, taken: u64) {
        (self.cost, self.allowed, self.retry_after_ms) = (taken, true, 0);
    }

    /// Whether the row shows a lock, not a limit.
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

    /// The canonical spec without the name. The spec of a lock is `lock`.
    pub fn spec(&self) -> String {
        if self.is_lock() { "lock".into() } else { self.limit.rule.spec() }
    }

    /// Whether this row binds more than `other`. A denied row binds before an allowed one. Among
    /// denied rows, -1 binds first, then the longest retry. Among allowed rows, those with a cost
    /// bind first, then the smallest remaining/capacity; the fractions are compared exactly.
    fn binds_before(&self, other: &Self) -> bool {
        let order = self.allowed.cmp(&other.allowed).then_with(|| {
            if self.allowed {
                // A limit of count 0 has nothing left.
                let left = |a: &Self, b: &Self| u128::from(a.remaining) * u128::from(b.capacity.max(1));
                let is_free = |row: &Self| row.cost == 0;
                is_free(self).cmp(&is_free(other)).then(left(self, other).cmp(&left(other, self)))
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

/// The answer: a row for each limit in the order of the call, and the row that binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckVerdict<'a> {
    rows: OneOrMany<LimitRow<'a>>,
    binding: usize,
    /// The cost of a call that SHADOW allows although a limit denies it.
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

    /// The same answer for a call that SHADOW allows.
    pub(crate) fn with_shadow_cost(mut self, cost: u64) -> Self {
        self.shadow = Some(cost);
        self
    }

    /// The same rows, whose binding one denies: the call was not its turn. Another one goes first,
    /// so it may be tried again in a moment.
    pub fn denied(mut self) -> Self {
        let binding = self.binding;
        if let Some(row) = self.rows.as_mut_slice().get_mut(binding).filter(|row| row.allowed) {
            (row.allowed, row.retry_after_ms) = (false, 1);
        }
        self
    }

    /// Whether every limit allows.
    pub fn allowed(&self) -> bool {
        self.binding().is_none_or(|row| row.allowed)
    }

    /// Whether SHADOW lets the call pass although a limit denies it.
    pub fn is_shadow(&self) -> bool {
        self.shadow.is_some()
    }

    /// The row that binds; the first of equal ones. `None` if there are no rows: a PEEK without
    /// limits, at a subject that holds none.
    pub fn binding(&self) -> Option<&LimitRow<'a>> {
        self.rows().get(self.binding)
    }

    /// Returns the index of the verdict that binds among those of several subjects: the first of
    /// equal ones.
    pub fn binding_of(verdicts: &[CheckVerdict<'_>]) -> usize {
        let binds_before = |next: usize, first: usize| {
            let (next, first) = (verdicts[next].binding(), verdicts[first].binding());
            next.zip(first).is_some_and(|(next, first)| next.binds_before(first))
        };
        (1..verdicts.len()).fold(0, |first, next| if binds_before(next, first) { next } else { first })
    }

    /// The cost charged to the binding limit; 0 if the call is denied.
    pub fn taken_cost(&self) -> u64 {
        let allowed = |row: &LimitRow<'_>| if row.allowed { row.cost } else { 0 };
        self.shadow.unwrap_or_else(|| self.binding().map_or(0, allowed))
    }

    pub fn rows(&self) -> &[LimitRow<'a>] {
        self.rows.as_slice()
    }
}
