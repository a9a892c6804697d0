//! The charge of an allowed call to a limit.

use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::time::UnixMs;

/// An amount to charge to one limit, or to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub name: Option<LimitName>,
    pub rule: Rule,
    /// The period of the charge, for kinds that have periods.
    pub span: Option<Span>,
    /// 0 to 10^12; 0 only in a call with HOLD.
    pub cost: u64,
}

impl Charge {
    pub fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(LimitName::as_bytes), rule: self.rule }
    }
}

impl Charge {
    /// How much of a charge made at `at` surely counts at `now`.
    pub(crate) fn unexpired(&self, at: UnixMs, now: UnixMs) -> u64 {
        let elapsed = now.saturating_sub(at);
        let Rule { count, period_ms, kind } = self.rule;
        let counts = match (kind, self.span) {
            (LimitKind::Bucket { .. }, _) => {
                let refilled = (u128::from(elapsed) * u128::from(count)).div_ceil(u128::from(period_ms));
                return self.cost.saturating_sub(u64::try_from(refilled).unwrap_or(u64::MAX));
            }
            (LimitKind::Fixed | LimitKind::Calendar(_), Some(span)) => now < span.end,
            _ => elapsed < period_ms,
        };
        if counts { self.cost } else { 0 }
    }
}

/// A limit that was charged, and its period at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargedLimit {
    pub name: Option<LimitName>,
    pub rule: Rule,
    pub span: Option<Span>,
}

/// The limits that one call has charged, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenLimits {
    pub at: UnixMs,
    pub limits: OneOrMany<ChargedLimit>,
}

impl TakenLimits {
    /// The limits of these charges, which were made at `at`.
    #[cfg(test)]
    pub(crate) fn of_charges(at: UnixMs, charges: &[Charge]) -> Self {
        let limit = |charge: &Charge| ChargedLimit {
            name: charge.name.clone(),
            rule: charge.rule,
            span: charge.span,
        };
        TakenLimits { at, limits: OneOrMany::map_slice(charges, limit) }
    }

    /// What `cost` took of each limit. One that exceeds the capacity took all of it.
    pub fn charges(&self, cost: u64) -> OneOrMany<Charge> {
        OneOrMany::map_slice(self.limits.as_slice(), |limit| {
            let ChargedLimit { name, rule, span } = limit;
            Charge { name: name.clone(), rule: *rule, span: *span, cost: cost.min(rule.capacity()) }
        })
    }

    /// Bytes on the heap, roughly.
    pub fn heap_bytes(&self) -> usize {
        let limits = self.limits.as_slice();
        let names = limits.iter().filter_map(|limit| limit.name.as_ref()).map(LimitName::heap_bytes);
        names.sum::<usize>() + if limits.len() == 1 { 0 } else { size_of_val(limits) }
    }
}
