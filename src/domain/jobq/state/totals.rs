//! What has happened so far, in numbers.

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub pushed: u64,
    pub acked: u64,
    pub failed: u64,
    pub retried: u64,
    pub stalled: u64,
    pub died: u64,
    pub expired: u64,
}

/// One more; a total that was loaded may be any number.
pub(crate) fn increment(total: &mut u64) {
    *total = total.saturating_add(1);
}
