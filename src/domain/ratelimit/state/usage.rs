//! The use of one limit of any kind.

use crate::domain::ratelimit::algorithm::fixed_period::FixedPeriod;
use crate::domain::ratelimit::algorithm::limit_status::LimitStatus;
use crate::domain::ratelimit::algorithm::sliding_window::SlidingWindow;
use crate::domain::ratelimit::algorithm::token_bucket::TokenBucket;
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::time::UnixMs;

/// What calls have taken of a limit.
#[derive(Debug, Clone)]
pub enum Usage {
    Window(SlidingWindow),
    Bucket(TokenBucket),
    Period(FixedPeriod),
}

/// A limit of a subject and its use.
#[derive(Debug, Clone)]
pub struct LimitUsage {
    pub name: Option<LimitName>,
    /// The rule of the last allowed call.
    pub rule: Rule,
    pub usage: Usage,
}

impl LimitUsage {
    /// An unused limit. Allocates only if the name is long.
    pub fn unused(name: Option<LimitName>, rule: Rule) -> Self {
        let usage = match rule.kind {
            LimitKind::Window => Usage::Window(SlidingWindow::default()),
            LimitKind::Bucket { .. } => Usage::Bucket(TokenBucket::default()),
            LimitKind::Fixed | LimitKind::Calendar(_) => {
                Usage::Period(FixedPeriod { span: Span { start: 0, end: 0 }, used: 0 })
            }
        };
        LimitUsage { name, rule, usage }
    }

    pub fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(LimitName::as_bytes), rule: self.rule }
    }

    /// Returns the period of a call by `rule`, for kinds that have periods. A period that has begun
    /// continues. A fixed period begins with its first use.
    pub fn span(&self, rule: &Rule, now: UnixMs) -> Option<Span> {
        let begun = match &self.usage {
            Usage::Period(period) if self.rule.kind == rule.kind && !period.is_unused(now) => {
                Some(period.span)
            }
            _ => None,
        };
        match rule.kind {
            LimitKind::Window | LimitKind::Bucket { .. } => None,
            LimitKind::Calendar(calendar) => begun.or_else(|| Some(calendar.span(now))),
            LimitKind::Fixed => {
                let from = |start: UnixMs| Span { start, end: start.saturating_add(rule.period_ms) };
                let begun = begun.map(|span| from(span.start)).filter(|span| now < span.end);
                begun.or_else(|| Some(from(now)))
            }
        }
    }

    /// Evaluates a call by `rule`. A sliding window counts the period of the call. A fixed period
    /// lasts as long as the rule of the call says. A bucket has drained at the rate of the call. If
    /// the kind or the calendar differs, the use expires by its own kind until an allowed call
    /// carries it over. Use that has expired by its own rule counts no more, whatever the rule of
    /// the call, because the key may be gone by then.
    pub fn evaluate(&self, rule: &Rule, cost: u64, now: UnixMs) -> LimitStatus {
        let capacity = rule.capacity();
        if self.is_unused(now) {
            return self.evaluate_unused(rule, cost, now);
        }
        let standing = match (&self.usage, rule.kind) {
            (Usage::Window(window), LimitKind::Window) => {
                window.evaluate(rule.period_ms, capacity, cost, now)
            }
            (Usage::Window(window), _) => window.evaluate(self.rule.period_ms, capacity, cost, now),
            (Usage::Bucket(bucket), LimitKind::Bucket { .. }) => {
                bucket.convert(&self.rule, rule).evaluate(rule, capacity, cost, now)
            }
            (Usage::Bucket(bucket), _) => bucket.evaluate(&self.rule, capacity, cost, now),
            (Usage::Period(period), kind) if kind != self.rule.kind => {
                period.evaluate(period.span.end, capacity, cost, now)
            }
            (Usage::Period(period), _) => match self.span(rule, now) {
                Some(span) if span.start == period.span.start => {
                    period.evaluate(span.end, capacity, cost, now)
                }
                _ => return self.evaluate_unused(rule, cost, now),
            },
        };
        let unused_after = self.unused_at().saturating_sub(now);
        LimitStatus {
            used: standing.used,
            retry_after_ms: standing.retry_after_ms.map(|retry| retry.min(unused_after)),
            reset_after_ms: standing.reset_after_ms.min(unused_after),
        }
    }

    /// Like [`LimitUsage::evaluate`], but for an unused limit. A calendar period exists without
    /// use.
    fn evaluate_unused(&self, rule: &Rule, cost: u64, now: UnixMs) -> LimitStatus {
        let reset_after_ms = match rule.kind {
            LimitKind::Calendar(_) => self.span(rule, now).map_or(0, |span| span.end - now),
            _ => 0,
        };
        let retry_after_ms = (cost <= rule.capacity()).then_some(0);
        LimitStatus { used: 0, retry_after_ms, reset_after_ms }
    }

    /// Returns the milliseconds until the limit is unused, after a call by `rule` was charged
    /// `cost`.
    pub fn reset_after_taking(&self, rule: &Rule, cost: u64, now: UnixMs) -> u64 {
        match (&self.usage, rule.kind) {
            (Usage::Window(window), LimitKind::Window) => {
                rule.period_ms.saturating_add(window.clock(now) - now)
            }
            (_, LimitKind::Window) => rule.period_ms,
            (_, LimitKind::Fixed | LimitKind::Calendar(_)) => {
                self.span(rule, now).map_or(0, |span| span.end.saturating_sub(now))
            }
            (_, LimitKind::Bucket { .. }) => {
                let mut bucket = self.as_bucket(rule, now);
                bucket.take(rule, cost, now);
                bucket.reset_after_ms(now)
            }
        }
    }

    /// Charges `cost` by `rule` without evaluating it. `span` is the result of [`LimitUsage::span`]
    /// on the server that decided: replicas never compute calendars.
    pub fn take(&mut self, rule: &Rule, span: Option<Span>, cost: u64, now: UnixMs) {
        match rule.kind {
            LimitKind::Fixed | LimitKind::Calendar(_) => {
                let span = span.unwrap_or(Span { start: now, end: now });
                let mut period = FixedPeriod { span, used: self.carry_over(rule, span, now) };
                period.take(cost);
                self.usage = Usage::Period(period);
            }
            LimitKind::Bucket { .. } => {
                let mut bucket = self.as_bucket(rule, now);
                bucket.take(rule, cost, now);
                self.usage = Usage::Bucket(bucket);
            }
            LimitKind::Window => {
                let carried = match &self.usage {
                    Usage::Window(_) if !self.is_unused(now) => None,
                    _ => Some(self.evaluate(rule, cost, now).used),
                };
                if let Some(used) = carried {
                    self.usage = Usage::Window(SlidingWindow::single(now, used));
                    self.rule = *rule;
                }
                if let Usage::Window(window) = &mut self.usage {
                    window.take(self.rule.period_ms, rule.period_ms, cost, now);
                }
            }
        }
        self.rule = *rule;
    }

    /// Gives back `cost` of what a call by `rule` would find used.
    pub fn refund(&mut self, rule: &Rule, cost: u64, now: UnixMs) {
        if self.is_unused(now) {
            return;
        }
        match &mut self.usage {
            Usage::Window(window) => {
                let judge = if rule.kind == LimitKind::Window { rule } else { &self.rule };
                window.refund(self.rule.period_ms, judge.period_ms, cost, now);
            }
            Usage::Bucket(bucket) => {
                let units = u128::from(cost) * u128::from(self.rule.period_ms);
                bucket.give_back(&self.rule, units, now);
            }
            Usage::Period(period) => period.correct(cost, 0),
        }
    }

    /// Returns the use that continues in the period `span` of `rule`.
    fn carry_over(&self, rule: &Rule, span: Span, now: UnixMs) -> u64 {
        match &self.usage {
            _ if self.is_unused(now) => 0,
            Usage::Period(period) if self.rule.kind == rule.kind => {
                if period.span.start == span.start {
                    period.used
                } else {
                    0
                }
            }
            _ => self.evaluate(&self.rule, 1, now).used,
        }
    }

    /// Returns the use as a bucket of `rule`.
    fn as_bucket(&self, rule: &Rule, now: UnixMs) -> TokenBucket {
        match &self.usage {
            _ if self.is_unused(now) => TokenBucket::default(),
            Usage::Bucket(bucket) => bucket.convert(&self.rule, rule),
            _ => TokenBucket::from_tokens(self.evaluate(rule, 1, now).used, rule, now),
        }
    }

    /// Whether the clock was set back since the last charge.
    #[inline]
    pub fn is_ahead(&self, now: UnixMs) -> bool {
        match &self.usage {
            Usage::Window(window) => window.is_ahead(now),
            Usage::Bucket(bucket) => bucket.is_ahead(&self.rule, now),
            Usage::Period(period) => period.used > 0 && period.span.start > now,
        }
    }

    /// Moves what lies in the future to `now`. A calendar period needs the one that `now` lies in,
    /// see [`LimitUsage::calendar_span`].
    pub fn rebase(&mut self, calendar: Option<Span>, now: UnixMs) {
        match &mut self.usage {
            Usage::Window(window) => window.rebase(now),
            Usage::Bucket(bucket) => bucket.rebase(&self.rule, now),
            Usage::Period(period) if period.span.start > now => {
                let moved = Span { start: now, end: now.saturating_add(self.rule.period_ms) };
                period.span = calendar.unwrap_or(moved);
            }
            Usage::Period(_) => {}
        }
    }

    /// Returns the calendar period of `now` for a use that lies in a later one. Only the server
    /// that decides calls it.
    pub fn calendar_span(&self, now: UnixMs) -> Option<Span> {
        match self.rule.kind {
            LimitKind::Calendar(calendar) if self.is_ahead(now) => Some(calendar.span(now)),
            _ => None,
        }
    }

    pub fn unused_at(&self) -> UnixMs {
        match &self.usage {
            Usage::Window(window) => window.unused_at(self.rule.period_ms),
            Usage::Bucket(bucket) => bucket.unused_at(),
            Usage::Period(period) => {
                if period.used == 0 {
                    0
                } else {
                    period.span.end
                }
            }
        }
    }

    pub fn is_unused(&self, now: UnixMs) -> bool {
        match &self.usage {
            Usage::Window(window) => window.is_unused(self.rule.period_ms, now),
            Usage::Bucket(bucket) => bucket.is_unused(now),
            Usage::Period(period) => period.is_unused(now),
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let name = self.name.as_ref().map_or(0, LimitName::heap_bytes);
        name + match &self.usage {
            Usage::Window(window) => window.heap_bytes(),
            Usage::Bucket(_) | Usage::Period(_) => 0,
        }
    }
}
