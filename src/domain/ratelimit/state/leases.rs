//! Concurrency leases: the holders of places, and when their leases end.

use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

/// The maximum MAX of ACQUIRE: places under one key.
pub const MAX_LEASES: usize = 10_000;

/// The maximum length of a holder in bytes. The minimum is 1.
pub const MAX_HOLDER_LEN: usize = 128;

/// All leases of a subject. Expired leases stay until the next change removes them, but do not
/// count.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    by_holder: BTreeMap<Box<[u8]>, UnixMs>,
    by_end: BTreeSet<(UnixMs, Box<[u8]>)>,
    /// Bytes of all holders.
    bytes: usize,
}

impl Leases {
    pub fn is_empty(&self) -> bool {
        self.by_holder.is_empty()
    }

    pub fn len(&self) -> usize {
        self.by_holder.len()
    }

    /// Returns the number of live leases.
    pub fn in_use(&self, now: UnixMs) -> usize {
        self.len() - self.by_end.iter().take_while(|(end, _)| *end <= now).count()
    }

    /// Returns the end of the lease of `holder`, if it is live.
    pub fn end_of(&self, holder: &[u8], now: UnixMs) -> Option<UnixMs> {
        self.by_holder.get(holder).copied().filter(|&end| end > now)
    }

    /// Returns the end of the live lease after `others` earlier ones.
    pub fn end_after(&self, now: UnixMs, others: u64) -> Option<UnixMs> {
        let mut live = self.by_end.iter().map(|(end, _)| *end).filter(|&end| end > now);
        live.nth(usize::try_from(others).ok()?)
    }

    /// Returns the latest end.
    pub fn last_end(&self) -> Option<UnixMs> {
        self.by_end.last().map(|(end, _)| *end)
    }

    /// Adds or renews a lease. An effect that was decided on another state can find no room. The
    /// lease is dropped then.
    pub fn hold(&mut self, holder: &[u8], end: UnixMs) {
        self.release(holder);
        if self.len() < MAX_LEASES {
            self.bytes += holder.len();
            self.by_holder.insert(holder.into(), end);
            self.by_end.insert((end, holder.into()));
        }
    }

    pub fn release(&mut self, holder: &[u8]) {
        if let Some((holder, end)) = self.by_holder.remove_entry(holder) {
            self.bytes -= holder.len();
            self.by_end.remove(&(end, holder));
        }
    }

    /// Removes expired leases.
    pub fn purge(&mut self, now: UnixMs) {
        while let Some((end, _)) = self.by_end.first()
            && *end <= now
            && let Some((_, holder)) = self.by_end.pop_first()
        {
            self.bytes -= holder.len();
            self.by_holder.remove(&holder);
        }
    }

    /// Iterates in the order of the holders.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], UnixMs)> {
        self.by_holder.iter().map(|(holder, end)| (&holder[..], *end))
    }

    /// Returns the last holder in byte order.
    pub fn last_holder(&self) -> Option<&[u8]> {
        self.by_holder.last_key_value().map(|(holder, _)| &holder[..])
    }

    /// Estimates the bytes on the heap: two trees, half full, and each holder in both trees as an
    /// allocation of its own.
    pub fn heap_bytes(&self) -> usize {
        let entry = size_of::<Box<[u8]>>() + size_of::<UnixMs>();
        self.len() * (2 * 2 * entry + 2 * 8) + 2 * self.bytes
    }
}
