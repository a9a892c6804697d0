//! One limit's use, whichever its kind.

use crate::domain::ratelimit::algorithm::fixed_period::Period;
use crate::domain::ratelimit::algorithm::sliding_window::Window;
use crate::domain::ratelimit::algorithm::standing::Standing;
use crate::domain::ratelimit::algorithm::token_bucket::Bucket;
use crate::domain::ratelimit::limit::name::Name;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{Kind, Rule};
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::time::UnixMs;

/// What has been taken of a limit.
#[derive(Debug, Clone)]
pub enum Usage {
    Window(Window),
    Bucket(Bucket),
    Period(Period),
}

/// A limit that a subject holds.
#[derive(Debug, Clone)]
pub struct Held {
    pub name: Option<Name>,
    /// The rule of the last allowed call.
    pub rule: Rule,
    pub usage: Usage,
}

impl Held {
    /// A limit of which nothing is taken. Allocates nothing unless the name is long.
    pub fn fresh(name: Option<Name>, rule: Rule) -> Self {
        let usage = match rule.kind {
            Kind::Window => Usage::Window(Window::default()),
            Kind::Bucket { .. } => Usage::Bucket(Bucket::default()),
            Kind::Fixed | Kind::Calendar(_) => {
                Usage::Period(Period { span: Span { start: 0, end: 0 }, used: 0 })
            }
        };
        Held { name, rule, usage }
    }

    pub fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(Name::as_bytes), rule: self.rule }
    }

    /// The period that a call by `rule` falls into, for the kinds that have periods. One that has begun
    /// goes on; a fixed one begins with its first use.
    pub fn span(&self, rule: &Rule, now: UnixMs) -> Option<Span> {
        let begun = match &self.usage {
            Usage::Period(period) if self.rule.kind == rule.kind && !period.is_full(now) => Some(period.span),
            _ => None,
        };
        match rule.kind {
            Kind::Window | Kind::Bucket { .. } => None,
            Kind::Calendar(calendar) => begun.or_else(|| Some(calendar.span(now))),
            Kind::Fixed => {
                let from = |start: UnixMs| Span { start, end: start.saturating_add(rule.period_ms) };
                let begun = begun.map(|span| from(span.start)).filter(|span| now < span.end);
                begun.or_else(|| Some(from(now)))
            }
        }
    }

    /// Judges a call by `rule`. A window judges by the period of the call, a fixed period lasts as long
    /// as the call has it, a bucket has drained at the rate of the call; when the kind (or the calendar)
    /// differs, the use goes on leaving as its own kind has it, until an allowed call carries it over.
    /// What is full by the rule it was taken under is full (the key may be gone by then), whatever the
    /// rule of the call.
    pub fn judge(&self, rule: &Rule, cost: u64, now: UnixMs) -> Standing {
        let capacity = rule.capacity();
        if self.is_full(now) {
            return self.judge_full(rule, cost, now);
        }
        let standing = match (&self.usage, rule.kind) {
            (Usage::Window(window), Kind::Window) => window.judge(rule.period_ms, capacity, cost, now),
            (Usage::Window(window), _) => window.judge(self.rule.period_ms, capacity, cost, now),
            (Usage::Bucket(bucket), Kind::Bucket { .. }) => {
                bucket.under(&self.rule, rule).judge(rule, capacity, cost, now)
            }
            (Usage::Bucket(bucket), _) => bucket.judge(&self.rule, capacity, cost, now),
            (Usage::Period(period), kind) if kind != self.rule.kind => {
                period.judge(period.span.end, capacity, cost, now)
            }
            (Usage::Period(period), _) => match self.span(rule, now) {
                Some(span) if span.start == period.span.start => period.judge(span.end, capacity, cost, now),
                _ => return self.judge_full(rule, cost, now),
            },
        };
        let full_after = self.full_at().saturating_sub(now);
        Standing {
            used: standing.used,
            retry_after_ms: standing.retry_after_ms.map(|retry| retry.min(full_after)),
            reset_after_ms: standing.reset_after_ms.min(full_after),
        }
    }

    /// As [`Held::judge`], where nothing is taken. A calendar period is there without any use.
    fn judge_full(&self, rule: &Rule, cost: u64, now: UnixMs) -> Standing {
        let reset_after_ms = match rule.kind {
            Kind::Calendar(_) => self.span(rule, now).map_or(0, |span| span.end - now),
            _ => 0,
        };
        let retry_after_ms = (cost <= rule.capacity()).then_some(0);
        Standing { used: 0, retry_after_ms, reset_after_ms }
    }

    /// Milliseconds until nothing is taken, once a call by `rule` has taken `cost`.
    pub fn reset_after_taking(&self, rule: &Rule, cost: u64, now: UnixMs) -> u64 {
        match (&self.usage, rule.kind) {
            (Usage::Window(window), Kind::Window) => rule.period_ms.saturating_add(window.clock(now) - now),
            (_, Kind::Window) => rule.period_ms,
            (_, Kind::Fixed | Kind::Calendar(_)) => {
                self.span(rule, now).map_or(0, |span| span.end.saturating_sub(now))
            }
            (_, Kind::Bucket { .. }) => {
                let mut bucket = self.as_bucket(rule, now);
                bucket.take(rule, cost, now);
                bucket.reset_after_ms(now)
            }
        }
    }

    /// Takes `cost` by `rule`, without judging. `span` is what [`Held::span`] has found: where the
    /// decision was made, because calendars are not for replicas to read.
    pub fn take(&mut self, rule: &Rule, span: Option<Span>, cost: u64, now: UnixMs) {
        match rule.kind {
            Kind::Fixed | Kind::Calendar(_) => {
                let span = span.unwrap_or(Span { start: now, end: now });
                let mut period = Period { span, used: self.carried(rule, span, now) };
                period.take(cost);
                self.usage = Usage::Period(period);
            }
            Kind::Bucket { .. } => {
                let mut bucket = self.as_bucket(rule, now);
                bucket.take(rule, cost, now);
                self.usage = Usage::Bucket(bucket);
            }
            Kind::Window => {
                let carried = match &self.usage {
                    Usage::Window(_) if !self.is_full(now) => None,
                    _ => Some(self.judge(rule, cost, now).used),
                };
                if let Some(used) = carried {
                    self.usage = Usage::Window(Window::of(now, used));
                    self.rule = *rule;
                }
                if let Usage::Window(window) = &mut self.usage {
                    window.take(self.rule.period_ms, rule.period_ms, cost, now);
                }
            }
        }
        self.rule = *rule;
    }

    /// Gives back `cost` to what a call by `rule` would find taken.
    pub fn refund(&mut self, rule: &Rule, cost: u64, now: UnixMs) {
        if self.is_full(now) {
            return;
        }
        match &mut self.usage {
            Usage::Window(window) => {
                let judge = if rule.kind == Kind::Window { rule } else { &self.rule };
                window.refund(self.rule.period_ms, judge.period_ms, cost, now);
            }
            Usage::Bucket(bucket) => {
                let units = u128::from(cost) * u128::from(self.rule.period_ms);
                bucket.give_back(&self.rule, units, now);
            }
            Usage::Period(period) => period.correct(cost, 0),
        }
    }

    /// The use that goes on in the period `span` of `rule`.
    fn carried(&self, rule: &Rule, span: Span, now: UnixMs) -> u64 {
        match &self.usage {
            _ if self.is_full(now) => 0,
            Usage::Period(period) if self.rule.kind == rule.kind => {
                if period.span.start == span.start {
                    period.used
                } else {
                    0
                }
            }
            _ => self.judge(&self.rule, 1, now).used,
        }
    }

    /// The use as a bucket of `rule`.
    fn as_bucket(&self, rule: &Rule, now: UnixMs) -> Bucket {
        match &self.usage {
            _ if self.is_full(now) => Bucket::default(),
            Usage::Bucket(bucket) => bucket.under(&self.rule, rule),
            _ => Bucket::of(self.judge(rule, 1, now).used, rule, now),
        }
    }

    pub fn full_at(&self) -> UnixMs {
        match &self.usage {
            Usage::Window(window) => window.full_at(self.rule.period_ms),
            Usage::Bucket(bucket) => bucket.full_at(),
            Usage::Period(period) => {
                if period.used == 0 {
                    0
                } else {
                    period.span.end
                }
            }
        }
    }

    pub fn is_full(&self, now: UnixMs) -> bool {
        match &self.usage {
            Usage::Window(window) => window.is_full(self.rule.period_ms, now),
            Usage::Bucket(bucket) => bucket.is_full(now),
            Usage::Period(period) => period.is_full(now),
        }
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        let name = self.name.as_ref().map_or(0, Name::heap);
        name + match &self.usage {
            Usage::Window(window) => window.heap(),
            Usage::Bucket(_) | Usage::Period(_) => 0,
        }
    }
}
