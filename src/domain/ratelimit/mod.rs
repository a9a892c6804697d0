//! RATELIMIT: named limits of one subject, checked together, all or nothing.
//!
//! ```text
//! spec     one limit as clients write it           window   exact sliding log
//! rule     what it allows                          bucket   token bucket (GCRA)
//! request  the limits of one call and their COST   period   fixed periods; calendar: days, weeks, months
//! check    decide CHECK, predict it for PEEK       held     one limit's use, whichever its kind
//! verdict  what was decided, row by row            subject  all limits under one key
//! give_back  REFUND, SETTLE, RESET                 restrictions   what few subjects have besides: lock,
//! places   ACQUIRE, RELEASE, LOCK, UNLOCK                   holds (settle), leases
//! effect   a change as it is replicated; take      apply    what it does
//! policy   limits that a call names as @name
//! name, few, packed  keep the hot path small       coding, stored, stored_extras  binary forms
//! ```
//!
//! Everything is exact: integers only, no drift. `now` is a parameter; a clock that steps back
//! never grants extra, because a window counts its newest entry as the present and a bucket's
//! debt only looks larger from an earlier time.

pub(crate) mod algorithm;
pub(crate) mod apply;
pub(crate) mod charge;
pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod limit;
pub(crate) mod one_or_many;
pub(crate) mod policies;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;

pub use decide::acquire::{decide_acquire, decide_lock, decide_release, decide_unlock};
pub use decide::check::{Check, check_effect, current_rows, decide_check, peek};
pub use decide::refund::{decide_refund, decide_reset, decide_settle, hold_rows, parse_counter};
pub use decide::request::{CheckRequest, RequestedLimit};
pub use decide::verdict::{CheckVerdict, LimitRow, MAX_SHOWN};
pub use effect::{CounterKey, Effect};
pub use limit::parse::{Limit, is_limit, is_policy_name};
pub use limit::parse_cache::LimitParseCache;
pub use limit::rule::{LimitKind, Rule};
pub use policies::{LimitPolicies, LimitPolicy, decide_delete_policy, decide_set_policy};
pub use state::holds::MAX_HOLD_ID_LEN;
pub use state::leases::{MAX_HOLDER_LEN, MAX_LEASES};
pub use state::lockout::{Lockout, MAX_FACTOR};
pub use state::subject::Subject;

/// Limits in one call, and under one key.
pub const MAX_LIMITS: usize = 16;

/// The largest count, burst and cost.
pub const MAX_COUNT: u64 = 1_000_000_000_000;

/// The count of `inf`, which never denies: 2^53 - 1, the largest integer that every client language holds.
pub const UNLIMITED: u64 = (1 << 53) - 1;
