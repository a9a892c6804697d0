//! One limit: its syntax and its rule.

pub(crate) mod calendar;
pub(crate) mod cost;
pub(crate) mod name;
pub(crate) mod parse;
pub(crate) mod parse_cache;
pub(crate) mod rule;
pub(crate) mod span;
