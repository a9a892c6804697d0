//! The charge of an allowed call to a limit.

use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::limit::span::Span;

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
