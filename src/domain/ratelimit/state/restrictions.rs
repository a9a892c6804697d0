//! What few subjects have besides limits: a lock, holds, concurrency leases.

use crate::domain::ratelimit::state::holds::Holds;
use crate::domain::ratelimit::state::leases::Leases;
use crate::domain::ratelimit::state::lockout::{Lock, LockLevel};
use crate::domain::time::UnixMs;

#[derive(Debug, Clone, Default)]
pub struct Restrictions {
    pub lock: Option<Lock>,
    pub level: Option<LockLevel>,
    pub holds: Holds,
    pub leases: Leases,
}

impl Restrictions {
    pub fn is_empty(&self) -> bool {
        self.lock.is_none() && self.level.is_none() && self.holds.is_empty() && self.leases.is_empty()
    }

    /// Removes what has expired.
    pub fn purge(&mut self, now: UnixMs) {
        self.lock = self.lock.filter(|lock| lock.until > now);
        self.level = self.level.filter(|level| level.until > now);
        self.holds.purge(now);
        self.leases.purge(now);
    }

    /// Whether the clock was set back since any of it was added.
    pub fn is_ahead(&self, now: UnixMs) -> bool {
        self.lock.is_some_and(|lock| lock.from > now) || self.holds.is_ahead(now) || self.leases.is_ahead(now)
    }

    /// Moves what begins in the future to `now`, with its length.
    pub fn rebase(&mut self, now: UnixMs) {
        if let Some(lock) = &mut self.lock {
            let shift = lock.rebase(now);
            if let Some(level) = &mut self.level {
                level.until = level.until.saturating_sub(shift);
            }
        }
        self.holds.rebase(now);
        self.leases.rebase(now);
    }

    /// Returns the time at which all of it has expired.
    pub fn last_end(&self) -> Option<UnixMs> {
        let lock = self.lock.map(|lock| lock.until);
        let level = self.level.map(|level| level.until);
        lock.max(level).max(self.holds.last_until()).max(self.leases.last_end())
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.holds.heap_bytes() + self.leases.heap_bytes()
    }
}
