//! IDEMP.GET: the record as it is now, without changing it.

use crate::domain::idemp::Fingerprint;
use crate::domain::idemp::state::record::{Record, Stage};
use crate::domain::time::UnixMs;

/// The state of a record at a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// A lease is running.
    Claimed,
    /// Released, and the delay is running.
    Delayed,
    /// The lease ran out or the claim was released: the next CLAIM takes over.
    Free,
    /// It has a result.
    Done,
}

/// What IDEMP.GET shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    pub state: RecordState,
    /// The result when done.
    pub value: Option<&'a [u8]>,
    /// Of the last claim.
    pub token: u64,
    /// Claimed: what is left of the lease. Delayed: of the delay. Free: 0. Done: the result's age.
    pub ms: u64,
    pub attempt: u32,
    pub meta: Option<&'a [u8]>,
    /// The owner that holds the lease, or held it when it ran out.
    pub owner: Option<&'a [u8]>,
    pub fingerprint: Option<Fingerprint>,
    /// How long the record will be kept if nothing happens to it, ms.
    pub expires_in_ms: u64,
    /// The last one, until the record is done.
    pub checkpoint: Option<&'a [u8]>,
}

impl Record {
    /// The record at `now`, or nothing if it has ended.
    pub fn view(&self, now: UnixMs) -> Option<View<'_>> {
        if !self.is_live(now) {
            return None;
        }
        let elapsed = self.elapsed(now);
        let (state, ms, value, meta, open) = match &self.stage {
            Stage::Done(finished) => {
                let (meta, result) = finished.parts();
                (RecordState::Done, elapsed, Some(result), meta, None)
            }
            Stage::Open(open) => {
                let left = open.span.saturating_sub(elapsed);
                let state = match (left, open.held) {
                    (0, _) => RecordState::Free,
                    (_, true) => RecordState::Claimed,
                    (_, false) => RecordState::Delayed,
                };
                (state, left, None, None, Some(open))
            }
        };
        Some(View {
            state,
            value,
            token: self.token,
            ms,
            attempt: self.attempt,
            meta,
            owner: open.and_then(|open| open.owner.as_deref()),
            checkpoint: open.and_then(|open| open.checkpoint.as_deref()),
            fingerprint: self.fingerprint(),
            expires_in_ms: self.retention_ms() - elapsed,
        })
    }
}
