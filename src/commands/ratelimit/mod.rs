//! RATELIMIT: limits and quotas. One file for each group of commands.

pub(crate) mod acquire;
pub(crate) mod check;
pub(crate) mod check_wait;
pub(crate) mod cl_throttle;
pub(crate) mod kept_reply;
pub(crate) mod limit_args;
pub(crate) mod limit_rows;
pub(crate) mod mcheck;
pub(crate) mod policy;
pub(crate) mod policy_file;
pub(crate) mod refund;
pub(crate) mod stats;
pub(crate) mod value_type;
pub(crate) mod verdict_reply;

pub use acquire::{AcquirePlace, LockSubject, ReleasePlace, Unlock};
pub use check::{CheckLimits, Peek};
pub use cl_throttle::Throttle;
pub use mcheck::CheckSeveral;
pub use refund::{Refund, Reset, Settle};
pub use stats::ShowStats;
