//! Use within one period: `:fixed` limits and calendar quotas.

use crate::domain::ratelimit::UNLIMITED;
use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::time::UnixMs;

/// The use within a period. If the clock steps back to before its start, the period still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPeriod {
    pub span: Span,
    /// At most 2^53 - 1.
    pub used: u64,
}

impl FixedPeriod {
    pub fn is_unused(&self, now: UnixMs) -> bool {
        self.used == 0 || now >= self.span.end
    }

    /// Evaluates a call of `cost` against `capacity`, in a period that ends at `end`.
    pub fn evaluate(&self, end: UnixMs, capacity: u64, cost: u64, now: UnixMs) -> LimitStatus {
        let reset_after_ms = end.saturating_sub(now);
        let retry_after_ms = match capacity {
            UNLIMITED => Some(0),
            _ if cost > capacity => None,
            _ if self.used + cost <= capacity => Some(0),
            _ => Some(reset_after_ms),
        };
        LimitStatus { used: self.used, retry_after_ms, reset_after_ms }
    }

    pub fn take(&mut self, cost: u64) {
        self.used = (self.used + cost).min(UNLIMITED);
    }

    /// Replaces the charge `was` of this period by `cost`.
    pub fn correct(&mut self, was: u64, cost: u64) {
        self.used = (self.used.saturating_sub(was) + cost).min(UNLIMITED);
    }
}

#[cfg(test)]
#[path = "../tests/fixed_period.rs"]
mod tests;
