//! A period of time.

use crate::domain::ratelimit::MAX_SHOWN;
use crate::domain::time::UnixMs;

/// The start and the end of a period. `end` is the first millisecond after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: UnixMs,
    pub end: UnixMs,
}

impl Span {
    pub fn length(&self) -> u64 {
        (self.end - self.start).min(MAX_SHOWN)
    }
}
