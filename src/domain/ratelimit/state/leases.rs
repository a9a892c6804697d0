//! Concurrency leases: the holders of places, and when their leases end.

use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

/// The maximum MAX of ACQUIRE: places under one key.
pub const MAX_LEASES: usize = 10_000;

/// The maximum length of a holder in bytes. The minimum is 1.
pub const MAX_HOLDER_LEN: usize = 128;

/// A place that a holder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub end: UnixMs,
    /// The time of the last ACQUIRE; 0 if it is not known.
    pub at: UnixMs,
    /// Stays the same while the lease is renewed.
    pub token: u64,
}

/// All leases of a subject. Expired leases stay until the next change removes them, but do not
/// count.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    by_holder: BTreeMap<Box<[u8]>, Lease>,
    by_end: BTreeSet<(UnixMs, Box<[u8]>)>,
    /// Bytes of all holders.
    bytes: usize,
    /// No lease was acquired later.
    latest: UnixMs,
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

    /// Returns the lease of `holder`, if it is live.
    pub fn live(&self, holder: &[u8], now: UnixMs) -> Option<Lease> {
        self.by_holder.get(holder).copied().filter(|lease| lease.end > now)
    }

    /// Returns the highest token, 0 without leases.
    pub fn highest_token(&self) -> u64 {
        self.by_holder.values().map(|lease| lease.token).max().unwrap_or(0)
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
    pub fn hold(&mut self, holder: &[u8], lease: Lease) {
        self.release(holder);
        if self.len() < MAX_LEASES {
            self.bytes += holder.len();
            self.by_holder.insert(holder.into(), lease);
            self.by_end.insert((lease.end, holder.into()));
            self.latest = self.latest.max(lease.at);
        }
    }

    pub fn is_ahead(&self, now: UnixMs) -> bool {
        self.latest > now
    }

    /// Moves leases that were acquired in the future to `now`, with their length.
    pub fn rebase(&mut self, now: UnixMs) {
        if !self.is_ahead(now) {
            return;
        }
        for lease in self.by_holder.values_mut() {
            let shift = lease.at.saturating_sub(now);
            (lease.at, lease.end) = (lease.at - shift, lease.end.saturating_sub(shift));
        }
        let ends = self.by_holder.iter().map(|(holder, lease)| (lease.end, holder.clone()));
        self.by_end = ends.collect();
        self.latest = now;
    }

    pub fn release(&mut self, holder: &[u8]) {
        if let Some((holder, lease)) = self.by_holder.remove_entry(holder) {
            self.bytes -= holder.len();
            self.by_end.remove(&(lease.end, holder));
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
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Lease)> {
        self.by_holder.iter().map(|(holder, lease)| (&holder[..], *lease))
    }

    /// Returns the last holder in byte order.
    pub fn last_holder(&self) -> Option<&[u8]> {
        self.by_holder.last_key_value().map(|(holder, _)| &holder[..])
    }

    /// Estimates the bytes on the heap: two trees, half full, and each holder in both trees as an
    /// allocation of its own.
    pub fn heap_bytes(&self) -> usize {
        let entries = 2 * size_of::<Box<[u8]>>() + size_of::<Lease>() + size_of::<UnixMs>();
        self.len() * (2 * entries + 2 * 8) + 2 * self.bytes
    }
}
