//! RATELIMIT: limits and quotas. One file for each group of commands.

mod check;
mod give_back;
mod limits;
mod places;
pub mod policy;
mod rows;
mod throttle;

pub use check::{CheckLimits, Peek};
pub use give_back::{Refund, Reset, Settle};
pub use places::{Acquire, LockOut, Release, Unlock};
pub use throttle::Throttle;
