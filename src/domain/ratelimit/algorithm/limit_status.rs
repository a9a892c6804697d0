//! How a call stands with one limit.

/// How a call stands with one limit, before it takes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// What is taken of the capacity now, rounded up; above it when the limit was lowered.
    pub used: u64,
    /// 0 when the call may pass, none when it never can.
    pub retry_after_ms: Option<u64>,
    /// Until nothing is taken.
    pub reset_after_ms: u64,
}
