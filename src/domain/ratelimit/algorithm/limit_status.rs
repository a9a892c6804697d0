//! The status of one limit.

/// The status of one limit for one call, before it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// The use, rounded up. Exceeds the capacity if the limit was lowered.
    pub used: u64,
    /// 0 if the call is allowed, `None` if it can never pass.
    pub retry_after_ms: Option<u64>,
    /// Until the limit is unused.
    pub reset_after_ms: u64,
}
