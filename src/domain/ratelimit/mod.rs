//! RATELIMIT: named limits of one subject, checked together, all or nothing.
//!
//! ```text
//! limit/      the syntax of limits, their rules, names, costs and calendars
//! algorithm/  token bucket (GCRA), sliding window, fixed period
//! state/      the value under a key: limits in use, lock, holds (for SETTLE), leases (of ACQUIRE)
//! decide/     one file for each group of commands: check, refund, acquire; their request and verdict
//! apply/      how an effect changes the state
//! encoding/   the binary forms
//! effect      a change in its replicated form; charge: the part for one limit
//! policies    limits that calls name as @name
//! denied_subjects  those that were denied most, for STATS
//! ```
//!
//! All arithmetic is exact: integers only, no drift. `now` is a parameter. A clock that steps back
//! never grants extra: a window takes its newest entry as the present, and the debt of a bucket is
//! larger at an earlier time.

pub(crate) mod algorithm;
pub(crate) mod apply;
pub(crate) mod charge;
pub(crate) mod decide;
pub(crate) mod denied_subjects;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod limit;
pub(crate) mod one_or_many;
pub(crate) mod policies;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;

pub use charge::{Charge, TakenLimits};
pub use decide::acquire::{
    Acquire, AcquireOutcome, decide_acquire, decide_lock, decide_release, decide_unlock, has_place,
};
pub use decide::budget::Budget;
pub use decide::check::{Check, check_effect, current_rows, decide_check, named_rows};
pub use decide::in_place::{OneLimitAnswer, decide_in_place};
pub use decide::refund::{
    decide_correct, decide_give_back, decide_refund, decide_reset, decide_settle, hold_rows, parse_counter,
};
pub use decide::request::{CheckRequest, RequestedLimit};
pub use decide::verdict::{CheckVerdict, LimitRow};
pub use denied_subjects::DeniedSubjects;
pub use effect::{CounterKey, Effect};
pub(crate) use encoding::limit::{read_taken_limits, write_taken_limits};
pub use limit::parse::{Limit, is_limit, is_policy_name};
pub use limit::parse_cache::LimitParseCache;
pub use limit::rule::{LimitKind, Rule};
pub use one_or_many::OneOrMany;
pub use policies::{LimitPolicies, LimitPolicy, MAX_POLICIES, decide_delete_policy, decide_set_policy};
pub use state::holds::MAX_HOLD_ID_LEN;
pub use state::leases::{MAX_HOLDER_LEN, MAX_LEASES};
pub use state::lockout::{Lockout, MAX_FACTOR};
pub use state::subject::Subject;

/// The maximum number of limits in one call, and under one key.
pub const MAX_LIMITS: usize = 16;

/// The maximum count, burst and cost.
pub const MAX_COUNT: u64 = 1_000_000_000_000;

/// The count of `inf`, which never denies: the largest integer of 14 digits.
pub const UNLIMITED: u64 = 99_999_999_999_999;

/// The largest duration and amount in a reply. It has 14 digits, because Lua prints numbers with 14
/// digits. It differs from the count of `inf` and from "never" in a BRIEF reply.
pub const MAX_SHOWN: u64 = UNLIMITED - 1;
