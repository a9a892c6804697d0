//! What has happened since the server started, as INFO shows it. Not saved, not replicated.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only rises.
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Counter(AtomicU64::new(0))
    }

    pub fn add(&self, more: u64) {
        // Commands run one at a time: a plain store costs less than a locked addition.
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Commands of the module that clients sent.
pub static CALLS: Counter = Counter::new();
/// Tokens that were refused because they are no longer valid.
pub static FENCED: Counter = Counter::new();
/// Checks of limits that were allowed.
pub static ALLOWED: Counter = Counter::new();
/// Checks of limits that were denied.
pub static DENIED: Counter = Counter::new();
/// Of these, those that a lock of the subject denied.
pub static LOCKED: Counter = Counter::new();
/// Jobs that were added to queues.
pub static PUSHED: Counter = Counter::new();
/// Jobs that were finished by an ACK.
pub static DONE: Counter = Counter::new();
/// Jobs that became dead.
pub static DEAD: Counter = Counter::new();

/// Reads of the cache that got a fresh value.
pub static HITS: Counter = Counter::new();
/// Reads of the cache that were told to load.
pub static FILLS: Counter = Counter::new();

/// How far the jobs of a value have come in all; zeros for a value without jobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobTotals {
    pub pushed: u64,
    pub done: u64,
    pub dead: u64,
}

/// Counts what one change has added.
pub fn add_jobs(before: JobTotals, after: JobTotals) {
    for (counter, before, after) in [
        (&PUSHED, before.pushed, after.pushed),
        (&DONE, before.done, after.done),
        (&DEAD, before.dead, after.dead),
    ] {
        if after > before {
            counter.add(after - before);
        }
    }
}
