//! Lock-outs: a locked subject is denied everything for a time.

use crate::domain::refusal::Refusal;
use crate::domain::time::{UnixMs, written};

/// The name of a lock in rows. No limit and no policy can have it.
pub const LOCK_NAME: &[u8] = b"@lock";

/// The start and the end of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    pub from: UnixMs,
    pub until: UnixMs,
}

impl Lock {
    pub fn new(from: UnixMs, length: u64) -> Self {
        Lock { from, until: from.saturating_add(length) }
    }

    /// Moves a lock that begins in the future to `now`. Returns by how much.
    pub fn rebase(&mut self, now: UnixMs) -> u64 {
        let shift = self.from.saturating_sub(now);
        (self.from, self.until) = (self.from - shift, self.until - shift);
        shift
    }
}

/// How often LOCKOUT locked the subject. Reset some time after the last lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockLevel {
    pub count: u32,
    pub until: UnixMs,
}

/// `LOCKOUT d [FACTOR f MAX d]`: the lock that a denial sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    length: u64,
    factor: u64,
    /// The longest lock in ms, and how long after a lock its level is reset.
    max: u64,
}

/// The maximum FACTOR.
pub const MAX_FACTOR: u64 = 1_000;

impl Lockout {
    /// All locks have the same length.
    pub fn steady(length: u64) -> Self {
        Lockout { length, factor: 1, max: length }
    }

    /// Each lock is `factor` times as long as the one before, but at most `max` ms.
    pub fn growing(length: u64, factor: u64, max: u64) -> Result<Self, Refusal> {
        if max < length {
            let (max, length) = (written(max), written(length));
            return Err(Refusal::err(format!("MAX '{max}': must be at least as long as LOCKOUT {length}")));
        }
        Ok(Lockout { length, factor, max })
    }

    /// Returns the lock for a denial at `now` after `level` earlier locks, and the new level.
    pub fn lock(&self, level: u32, now: UnixMs) -> (Lock, LockLevel) {
        let grown = self.factor.checked_pow(level).and_then(|factor| self.length.checked_mul(factor));
        let lock = Lock::new(now, grown.map_or(self.max, |grown| grown.min(self.max)));
        (lock, LockLevel { count: level.saturating_add(1), until: lock.until.saturating_add(self.max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_grow_by_their_factor_up_to_the_longest() {
        let lockout = Lockout::growing(60_000, 2, 500_000).unwrap();
        let lengths: Vec<u64> = [0, 1, 2, 3, 4, 64, u32::MAX]
            .into_iter()
            .map(|level| {
                let (lock, next) = lockout.lock(level, 1_000);
                assert_eq!(next.count, level.saturating_add(1));
                assert_eq!(next.until, lock.until + 500_000);
                lock.until - lock.from
            })
            .collect();
        assert_eq!(lengths, [60_000, 120_000, 240_000, 480_000, 500_000, 500_000, 500_000]);
        let (lock, next) = Lockout::steady(5_000).lock(7, 1_000);
        assert_eq!((lock.until, next.until), (6_000, 11_000));
    }

    #[test]
    fn the_longest_is_no_shorter_than_the_first() {
        let refusal = Lockout::growing(2, 2, 1).unwrap_err();
        assert_eq!(refusal.to_string(), "ERR MAX '1ms': must be at least as long as LOCKOUT 2ms");
    }
}
