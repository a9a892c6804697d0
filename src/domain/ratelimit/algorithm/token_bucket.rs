//! The token bucket, as the generic cell rate algorithm (GCRA, ITU-T I.371) in exact integers.
//!
//! The state is the theoretical arrival time (TAT): when nothing will be owed. A token refills in
//! `period / count` ms. Time is counted in units of `1/count` ms, so that every quantity is whole:
//! a token is `period` units, a millisecond is `count` units, the debt is `(TAT - now) * count`. A
//! call of `cost` is allowed if `debt + cost * period <= burst * period`, and adds its cost to the
//! debt. So no interval T admits more than `burst + floor(T * count / period)`: the debt starts at
//! 0 or above, ends at `burst * period` or below, and falls by `count` in a millisecond.
//!
//! **If the rule of a name changes**, the tokens owed at the last allowed call are carried over,
//! rounded up by less than one unit, and have drained at the *new* rate since. So a corrected rule
//! takes effect at once, and the answer depends on state, rule and time only.

use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::{MAX_COUNT, MAX_SHOWN};
use crate::domain::time::UnixMs;

/// The TAT's milliseconds have 80 bits: 10^12 tokens of 3650 days each take 79.
const MAX_TAT: u128 = (1 << 80) - 1;

/// The debt of a bucket. The default owes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// The lower 64 bits of the TAT, in Unix milliseconds.
    pub low: u64,
    /// Its upper 16 bits.
    pub high: u16,
    /// The fraction of the TAT in units of 1/count ms, below count.
    pub part: u64,
    /// The time of the last charge, at most the TAT; 0 if it is not known. A change of the rule and
    /// a clock that was set back read it.
    pub at: UnixMs,
}

impl TokenBucket {
    #[inline]
    fn tat(&self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    /// A bucket that owes `debt` units of `1/rule.count` ms at `at`.
    #[inline]
    fn with_debt(debt: u128, rule: &Rule, at: UnixMs) -> Self {
        let (ms, part) = divide(debt, rule.count);
        let tat = (u128::from(at) + ms).min(MAX_TAT);
        TokenBucket { low: tat as u64, high: (tat >> 64) as u16, part, at }
    }

    /// A bucket that owes `tokens` at `at`.
    pub fn from_tokens(tokens: u64, rule: &Rule, at: UnixMs) -> Self {
        Self::with_debt(u128::from(tokens.min(MAX_COUNT)) * u128::from(rule.period_ms), rule, at)
    }

    /// Returns the debt at `now` in units of `1/rule.count` ms.
    #[inline]
    pub fn debt(&self, rule: &Rule, now: UnixMs) -> u128 {
        match self.tat().checked_sub(u128::from(now)) {
            Some(ms) => ms * u128::from(rule.count) + u128::from(self.part),
            None => 0,
        }
    }

    /// Converts the use to another rule.
    #[inline]
    pub fn convert(&self, was: &Rule, rule: &Rule) -> Self {
        let rate = |rule: &Rule| (rule.count, rule.period_ms);
        if rate(was) == rate(rule) {
            return *self;
        }
        let (tokens, rest) = divide(self.debt(was, self.at), was.period_ms);
        if tokens >= u128::from(MAX_COUNT) {
            return Self::from_tokens(MAX_COUNT, rule, self.at);
        }
        let period = u128::from(rule.period_ms);
        let rest = (u128::from(rest) * period).div_ceil(u128::from(was.period_ms));
        Self::with_debt(tokens * period + rest, rule, self.at)
    }

    /// Evaluates a call of `cost` against `capacity` tokens.
    #[inline]
    pub fn evaluate(&self, rule: &Rule, capacity: u64, cost: u64, now: UnixMs) -> LimitStatus {
        let debt = self.debt(rule, now);
        let used = shown(divide_up(debt, rule.period_ms));
        let reset_after_ms = self.reset_after_ms(now);
        let retry_after_ms = capacity.checked_sub(cost).map(|room| {
            let room = u128::from(room) * u128::from(rule.period_ms);
            shown(divide_up(debt.saturating_sub(room), rule.count))
        });
        LimitStatus { used, retry_after_ms, reset_after_ms }
    }

    /// Returns the milliseconds until nothing is owed.
    #[inline]
    pub fn reset_after_ms(&self, now: UnixMs) -> u64 {
        shown((self.tat() + u128::from(self.part > 0)).saturating_sub(u128::from(now)))
    }

    /// Charges `cost` tokens without evaluating them.
    #[inline]
    pub fn take(&mut self, rule: &Rule, cost: u64, now: UnixMs) {
        let debt = self.debt(rule, now) + u128::from(cost) * u128::from(rule.period_ms);
        let at = self.at.max(now);
        *self = TokenBucket { at, ..Self::with_debt(debt, rule, now) };
    }

    /// Lowers the debt by `units` of `1/rule.count` ms, at most to 0.
    pub fn give_back(&mut self, rule: &Rule, units: u128, now: UnixMs) {
        let debt = self.debt(rule, now).saturating_sub(units);
        // The last charge must not be later than the time at which nothing is owed.
        *self = TokenBucket { at: self.at.min(now), ..Self::with_debt(debt, rule, now) };
    }

    /// Whether the clock was set back since the last charge.
    #[inline]
    pub fn is_ahead(&self, rule: &Rule, now: UnixMs) -> bool {
        self.at > now || self.at == 0 && self.debt(rule, now) > capacity_units(rule)
    }

    /// Moves a last charge that lies in the future to `now`. Where its time is not known, nothing
    /// was overdrawn: the bucket owes at most its capacity.
    pub fn rebase(&mut self, rule: &Rule, now: UnixMs) {
        if self.at > now {
            let tat = self.tat() - u128::from(self.at - now);
            *self = TokenBucket { low: tat as u64, high: (tat >> 64) as u16, part: self.part, at: now };
        } else if self.is_ahead(rule, now) {
            *self = TokenBucket { at: 0, ..Self::with_debt(capacity_units(rule), rule, now) };
        }
    }

    /// Forgets the time of the last charge of an unnamed bucket, whose rule never changes, unless
    /// SETTLE has charged more than the capacity.
    pub fn forget_time(&mut self, rule: &Rule) {
        if self.debt(rule, self.at) <= capacity_units(rule) {
            self.at = 0;
        }
    }

    /// Returns the first millisecond at which nothing is owed.
    #[inline]
    pub fn unused_at(&self) -> UnixMs {
        u64::try_from(self.tat() + u128::from(self.part > 0)).unwrap_or(u64::MAX)
    }

    #[inline]
    pub fn is_unused(&self, now: UnixMs) -> bool {
        self.tat() + u128::from(self.part > 0) <= u128::from(now)
    }
}

/// The largest debt that a call leaves, in units of `1/rule.count` ms.
#[inline]
fn capacity_units(rule: &Rule) -> u128 {
    u128::from(rule.capacity()) * u128::from(rule.period_ms)
}

#[inline]
fn shown(value: u128) -> u64 {
    value.min(u128::from(MAX_SHOWN)) as u64
}

/// Returns quotient and remainder. Divides in 64 bits if the value fits.
#[inline]
fn divide(value: u128, by: u64) -> (u128, u64) {
    match u64::try_from(value) {
        Ok(value) => (u128::from(value / by), value % by),
        Err(_) => divide_long(value, by),
    }
}

#[cold]
fn divide_long(value: u128, by: u64) -> (u128, u64) {
    (value / u128::from(by), (value % u128::from(by)) as u64)
}

#[inline]
fn divide_up(value: u128, by: u64) -> u128 {
    let (whole, rest) = divide(value, by);
    whole + u128::from(rest > 0)
}

#[cfg(test)]
#[path = "../tests/token_bucket.rs"]
mod tests;
