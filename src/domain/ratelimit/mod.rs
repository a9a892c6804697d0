//! RATELIMIT: named limits of one subject, checked together, all or nothing.
//!
//! ```text
//! spec     one limit as clients write it           window   exact sliding log
//! request  the limits of one call and their COST   bucket   token bucket (GCRA)
//! check    decide CHECK, predict it for PEEK       held     one limit's use, whichever its kind
//! verdict  what was decided, row by row            subject  all limits under one key, and apply
//! effect   an allowed CHECK, replicated            stored   the subject's binary form
//! name, few                                        what keeps the hot path free of allocations
//! ```
//!
//! Everything is exact: integers only, no drift. `now` is a parameter; a clock that steps back
//! never grants extra, because a window counts its newest entry as the present and a bucket's
//! debt only looks larger from an earlier time.

mod bucket;
mod check;
mod effect;
mod few;
mod held;
mod name;
#[cfg(test)]
mod properties;
mod request;
mod spec;
mod stored;
mod subject;
mod verdict;
mod window;

pub use check::{decide_check, peek};
pub use effect::{Effect, Take};
pub use few::Few;
pub use name::Name;
pub use request::{Ask, Request};
pub use spec::{Kind, Limit, Rule, is_limit};
pub use subject::Subject;
pub use verdict::{LONGEST_SHOWN, Row, Verdict};

/// Limits in one call, and under one key.
pub const MOST_LIMITS: usize = 16;

/// The largest count, burst and cost.
pub const MOST: u64 = 1_000_000_000_000;
