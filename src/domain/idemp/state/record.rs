//! The record under an idempotency key.

use crate::domain::idemp::Fingerprint;
use crate::domain::idemp::state::completed::PackedResult;
use crate::domain::time::UnixMs;

/// One idempotency key: the claim of its holder, or its result. 48 bytes and one allocation.
///
/// A default record holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of the last claim; 0 in a record that holds nothing.
    pub(crate) token: u64,
    /// When the last claim, extension, release or completion was made.
    pub(crate) since: UnixMs,
    /// How long the record lives from then on, ms.
    pub(crate) ttl: u64,
    /// How many claims have been granted; one for a record that was completed at once.
    pub(crate) attempt: u32,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    Open(Box<Unfinished>),
    Done(PackedResult),
}

/// An unfinished record's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Someone holds the lease, or held it last; else it was given back.
    pub held: bool,
    /// The lease if held, else the delay that came with the release; in ms from `since` on.
    pub span: u64,
    /// The owner that holds the lease; only while held.
    pub owner: Option<Box<[u8]>>,
    pub fingerprint: Option<Fingerprint>,
    /// How far the work has come, for the next attempt.
    pub checkpoint: Option<Box<[u8]>>,
}

impl Default for Record {
    fn default() -> Self {
        Record { token: 0, since: 0, ttl: 0, attempt: 0, stage: Stage::Open(Box::default()) }
    }
}

impl Record {
    /// How long ago the last change was, ms; none if the clock has stepped back behind it.
    pub(crate) fn elapsed(&self, now: UnixMs) -> u64 {
        now.saturating_sub(self.since)
    }

    /// How long the record lives after its last change, ms. A DELAY longer than the TTL is kept.
    pub(crate) fn retention_ms(&self) -> u64 {
        match &self.stage {
            Stage::Open(open) => self.ttl.max(open.span),
            Stage::Done(_) => self.ttl,
        }
    }

    /// Whether the record has not ended at `now`. An ended record counts as missing, even if the
    /// server has not removed the key yet.
    pub(crate) fn is_live(&self, now: UnixMs) -> bool {
        self.token != 0 && self.elapsed(now) < self.retention_ms()
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.stage {
            Stage::Open(open) => open.fingerprint,
            Stage::Done(finished) => finished.fingerprint(),
        }
    }

    /// Returns when a waiter must be tried again if nothing changes the record before: when the
    /// lease or the delay ends, or a completed record. A time in the past means now.
    pub fn next_due(&self) -> Option<UnixMs> {
        let span = match &self.stage {
            _ if self.token == 0 => return None,
            Stage::Open(open) => open.span,
            Stage::Done(_) => self.ttl,
        };
        Some(self.since.saturating_add(span))
    }
}

impl Record {
    /// The unfinished part, if `token` holds it.
    pub(crate) fn held_by(&mut self, token: u64) -> Option<&mut Unfinished> {
        match &mut self.stage {
            Stage::Open(open) if open.held && self.token == token => Some(open),
            _ => None,
        }
    }
}
