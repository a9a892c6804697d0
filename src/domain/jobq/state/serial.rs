//! Names a job for as long as its queue lives, and how far serials and times may go.

/// The number of a push in its queue. It identifies a job for as long as the queue lives.
pub type Serial = u64;

/// Limit of the queue's clock and its next serial: far from an overflow, whatever is added.
pub(crate) const MAX_CLOCK: u64 = 1 << 52;

/// A queue that comes by RESTORE has lower counters, and no push is further ahead of the one
/// before: pushes after it do not lead to [`MAX_CLOCK`], from where a saved queue would not load.
pub(crate) const MAX_AHEAD: u64 = 1 << 50;

/// Limit of every other time or serial: a time below [`MAX_CLOCK`] plus the longest duration fits.
pub(crate) const MAX_STORED_TIME: u64 = 1 << 53;
