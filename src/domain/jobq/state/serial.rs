//! Names a job for as long as its queue lives, and how far serials and times may go.

/// Counts the pushes of a queue: names a job for as long as the queue lives.
pub type Serial = u64;

/// The queue's clock and its next serial are below this: far from overflowing whatever is added.
pub(crate) const MAX_CLOCK: u64 = 1 << 52;

/// Any other time or serial is below this: a time below [`MAX_CLOCK`] and the longest duration, at least.
pub(crate) const MAX_STORED_TIME: u64 = 1 << 53;
