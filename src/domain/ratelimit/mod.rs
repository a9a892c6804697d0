//! RATELIMIT: named limits of one subject, checked together, all or nothing.
//!
//! ```text
//! spec     one limit as clients write it           window   exact sliding log
//! rule     what it allows                          bucket   token bucket (GCRA)
//! request  the limits of one call and their COST   period   fixed periods; calendar: days, weeks, months
//! check    decide CHECK, predict it for PEEK       held     one limit's use, whichever its kind
//! verdict  what was decided, row by row            subject  all limits under one key
//! give_back  REFUND, SETTLE, RESET                 extras   what few subjects have besides: lock,
//! places   ACQUIRE, RELEASE, LOCK, UNLOCK                   holds (settle), leases
//! effect   a change as it is replicated; take      apply    what it does
//! policy   limits that a call names as @name
//! name, few, packed  keep the hot path small       coding, stored, stored_extras  binary forms
//! ```
//!
//! Everything is exact: integers only, no drift. `now` is a parameter; a clock that steps back
//! never grants extra, because a window counts its newest entry as the present and a bucket's
//! debt only looks larger from an earlier time.

mod apply;
#[cfg(test)]
pub(super) mod arbitrary;
mod bucket;
mod calendar;
mod check;
mod coding;
mod cost;
mod effect;
mod extras;
mod few;
mod give_back;
mod held;
mod hold;
mod leases;
mod lock;
mod name;
mod packed;
mod period;
mod places;
mod policy;
#[cfg(test)]
mod properties;
mod recent;
mod request;
mod rule;
mod settle;
mod spec;
mod stored;
mod stored_extras;
mod subject;
mod take;
mod verdict;
mod window;

pub use check::{Check, decide_check, peek, standing, taken};
pub use effect::{Counter, Effect};
pub use few::Few;
pub use give_back::{counter, decide_refund, decide_reset, decide_settle, of_hold};
pub use hold::LONGEST_ID;
pub use leases::{LONGEST_HOLDER, MOST_LEASES};
pub use lock::{HIGHEST_FACTOR, Lockout};
pub use name::Name;
pub use places::{Places, decide_acquire, decide_lock, decide_release, decide_unlock};
pub use policy::{Policies, Policy, PolicyEffect, decide_delete_policy, decide_set_policy};
pub use recent::Recent;
pub use request::{Ask, Request};
pub use rule::{Kind, Rule};
pub use spec::{Limit, is_limit, is_policy_name};
pub use subject::Subject;
pub use take::Take;
pub use verdict::{LONGEST_SHOWN, Row, Verdict};

/// Limits in one call, and under one key.
pub const MOST_LIMITS: usize = 16;

/// The largest count, burst and cost.
pub const MOST: u64 = 1_000_000_000_000;

/// The count of `inf`, which never denies: 2^53 - 1, the largest integer that every client language holds.
pub const UNLIMITED: u64 = (1 << 53) - 1;
