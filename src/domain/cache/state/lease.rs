//! The right to load a value, for a while.

use crate::domain::time::{MINUTE, SECOND, UnixMs};

/// LEASE unless given, in milliseconds.
pub const DEFAULT_LEASE: u64 = 10 * SECOND;

/// The least time for which a lease is remembered after it was granted, ms.
const MIN_REMEMBERED_MS: u64 = MINUTE;

/// A granted lease. It ends after its span, but its token is good until superseded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub token: u64,
    pub since: UnixMs,
    /// The length of the lease, ms: until it ends no other reader is granted the load. After
    /// RELEASE it is that command's DELAY.
    pub span: u64,
    /// Given back: the token stores nothing any more, and is kept to answer a re-sent RELEASE
    /// alike.
    pub released: bool,
}

impl Lease {
    /// What is left of it, ms; 0 when it has run out. A clock that steps back does not lengthen it.
    pub fn left(&self, now: UnixMs) -> u64 {
        self.span.saturating_sub(now.saturating_sub(self.since))
    }

    /// When other readers need wait no longer.
    pub fn deadline(&self) -> UnixMs {
        self.since.saturating_add(self.span)
    }

    /// Returns until when the entry is kept for the holder: twice the lease, and a minute at least,
    /// since a slow load that outlives a short lease must not be lost. A released lease is kept for
    /// its delay, and a minute at least, to answer a re-sent RELEASE.
    pub fn kept_until(&self) -> UnixMs {
        let times = if self.released { 1 } else { 2 };
        self.since.saturating_add(self.span.saturating_mul(times).max(MIN_REMEMBERED_MS))
    }
}
