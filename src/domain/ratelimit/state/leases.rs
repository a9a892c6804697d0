//! Concurrency leases: who holds a place, and until when.

use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

/// The highest MAX of ACQUIRE: places under one key.
pub const MAX_LEASES: usize = 10_000;

/// Holders are 1 to 128 bytes long.
pub const MAX_HOLDER_LEN: usize = 128;

/// All leases of a subject. Those that have run out stay until a change removes them; they count for nobody.
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

    /// How many are live.
    pub fn in_use(&self, now: UnixMs) -> usize {
        self.len() - self.by_end.iter().take_while(|(end, _)| *end <= now).count()
    }

    /// When the holder's lease ends, if it is live.
    pub fn end_of(&self, holder: &[u8], now: UnixMs) -> Option<UnixMs> {
        self.by_holder.get(holder).copied().filter(|&end| end > now)
    }

    /// The end of a live lease that so many others end before.
    pub fn end_after(&self, now: UnixMs, others: u64) -> Option<UnixMs> {
        let mut live = self.by_end.iter().map(|(end, _)| *end).filter(|&end| end > now);
        live.nth(usize::try_from(others).ok()?)
    }

    /// The last end of all.
    pub fn last_end(&self) -> Option<UnixMs> {
        self.by_end.last().map(|(end, _)| *end)
    }

    /// Adds or renews. Only an effect that another state decided can find no room: it is left out.
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

    /// Removes what has run out.
    pub fn purge(&mut self, now: UnixMs) {
        while let Some((end, _)) = self.by_end.first()
            && *end <= now
            && let Some((_, holder)) = self.by_end.pop_first()
        {
            self.bytes -= holder.len();
            self.by_holder.remove(&holder);
        }
    }

    /// In the order of the holders.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], UnixMs)> {
        self.by_holder.iter().map(|(holder, end)| (&holder[..], *end))
    }

    /// The last in the order of the holders.
    pub fn last_holder(&self) -> Option<&[u8]> {
        self.by_holder.last_key_value().map(|(holder, _)| &holder[..])
    }

    /// Bytes on the heap, estimated: both trees, half full, and the holders in both, each an allocation.
    pub fn heap_bytes(&self) -> usize {
        let entry = size_of::<Box<[u8]>>() + size_of::<UnixMs>();
        self.len() * (2 * 2 * entry + 2 * 8) + 2 * self.bytes
    }
}
