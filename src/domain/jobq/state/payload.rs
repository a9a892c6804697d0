//! The payload of a job, and before it the room for what every job has.

use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome, State};
use std::fmt;
use std::ops::Deref;

/// What a job takes beside its payload. The allocator has blocks of 224 bytes, so one of 200 fits.
pub(crate) const HEADER_BYTES: usize = 24;

/// A payload, already where the job will have it, so that a push copies it once.
///
/// One allocation: [`HEADER_BYTES`], which a [table](crate::domain::jobq::state::job_table) fills,
/// and the payload. One that is empty may do without.
#[derive(Clone, Default)]
pub struct Payload(Box<[u8]>);

impl From<&[u8]> for Payload {
    fn from(payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
        bytes.extend_from_slice(&[0; HEADER_BYTES]);
        bytes.extend_from_slice(payload);
        Payload(bytes.into_boxed_slice())
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.get(HEADER_BYTES..).unwrap_or_default()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Payload {
    /// Writes down what every job has, but for `at` and `token`.
    #[inline]
    pub(super) fn set_header(&mut self, header: &JobHeader) {
        if self.0.is_empty() {
            self.0 = Box::new([0; HEADER_BYTES]);
        }
        let ([a, b], [p, q, r, s]) = (header.retries.to_le_bytes(), header.priority.to_le_bytes());
        let first = [header.state as u8, header.last_outcome as u8, a, b, p, q, r, s];
        let words = [first, header.created.to_le_bytes(), header.ready_at.to_le_bytes()];
        if let Some(room) = self.0.get_mut(..HEADER_BYTES) {
            room.copy_from_slice(words.as_flattened());
        }
    }

    /// What was written down, as that of a job that has not been popped: its `at` is its
    /// `ready_at`.
    #[inline]
    pub(super) fn header(&self) -> JobHeader {
        let words = self.0.get(..HEADER_BYTES).unwrap_or_default().as_chunks::<8>();
        let ([[state, last_outcome, a, b, priority @ ..], created, ready_at], _) = words else {
            return JobHeader::default();
        };
        let ready_at = u64::from_le_bytes(*ready_at);
        JobHeader {
            state: State::ALL.get(usize::from(*state)).copied().unwrap_or_default(),
            last_outcome: LastOutcome::ALL.get(usize::from(*last_outcome)).copied().unwrap_or_default(),
            retries: u16::from_le_bytes([*a, *b]),
            priority: i32::from_le_bytes(*priority),
            at: ready_at,
            ready_at,
            created: u64::from_le_bytes(*created),
            token: 0,
        }
    }

    /// Bytes of the allocation.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        self.0.len()
    }
}
