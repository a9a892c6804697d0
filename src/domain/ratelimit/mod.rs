//! RATELIMIT: named limits of one subject, checked together, all or nothing.
//!
//! ```text
//! spec     one limit as clients write it           window   exact sliding log
//! rule     what it allows                          bucket   token bucket (GCRA)
//! request  the limits of one call and their COST   period   fixed periods; calendar: days, weeks, months
//! check    decide CHECK, predict it for PEEK       held     one limit's use, whichever its kind
//! verdict  what was decided, row by row            subject  all limits under one key, and apply
//! effect   an allowed CHECK, replicated            stored   the subject's binary form
//! policy   limits that a call names as @name
//! name, few                                        what keeps the hot path free of allocations
//! ```
//!
//! Everything is exact: integers only, no drift. `now` is a parameter; a clock that steps back
//! never grants extra, because a window counts its newest entry as the present and a bucket's
//! debt only looks larger from an earlier time.

mod bucket;
mod calendar;
mod check;
mod effect;
mod few;
mod held;
mod name;
mod period;
mod policy;
#[cfg(test)]
mod properties;
mod request;
mod rule;
mod spec;
mod stored;
mod subject;
mod verdict;
mod window;

pub use check::{decide_check, peek};
pub use effect::{Effect, Take};
pub use few::Few;
pub use name::Name;
pub use policy::{Policies, Policy, PolicyEffect, decide_delete_policy, decide_set_policy};
pub use request::{Ask, Request};
pub use rule::{Kind, Rule};
pub use spec::{Limit, is_limit, is_policy_name};
pub use subject::Subject;
pub use verdict::{LONGEST_SHOWN, Row, Verdict};

/// Limits in one call, and under one key.
pub const MOST_LIMITS: usize = 16;

/// The largest count, burst and cost.
pub const MOST: u64 = 1_000_000_000_000;

/// The count of `inf`, which never denies: 2^53 - 1, the largest integer that every client language holds.
pub const UNLIMITED: u64 = (1 << 53) - 1;
