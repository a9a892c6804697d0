//! What an allowed call takes of a limit.

use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::limit::span::Span;

/// What is taken of one limit, or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub name: Option<LimitName>,
    pub rule: Rule,
    /// The period it falls into, for the kinds that have periods.
    pub span: Option<Span>,
    /// 1 to 10^12.
    pub cost: u64,
}

impl Charge {
    pub fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(LimitName::as_bytes), rule: self.rule }
    }
}
