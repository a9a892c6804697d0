//! The state under one key.

use super::effect::Effect;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

/// A time that never comes: the fresh time of a value without a TTL.
pub(super) const NEVER: UnixMs = u64::MAX;

/// A value and how long it is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    pub value: Box<[u8]>,
    /// Until then it is a HIT.
    pub fresh_until: UnixMs,
    /// Until then it is served while somebody reloads it; never before `fresh_until`.
    pub stale_until: UnixMs,
    /// The token that stored it, 0 for a plain SET: a re-sent SET is answered alike.
    pub by: u64,
}

/// The right to fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub token: u64,
    /// Until then nobody else gets one.
    pub until: UnixMs,
    /// Until then the token is remembered, so that a slow load is still stored.
    pub kept_until: UnixMs,
}

/// A cache entry: a value, a lease, or both; neither when it is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub(super) filled: Option<Filled>,
    pub(super) lease: Option<Lease>,
}

impl Entry {
    /// The value if it may still be served at all.
    pub(super) fn usable(&self, now: UnixMs) -> Option<&Filled> {
        self.filled.as_ref().filter(|filled| now < filled.stale_until)
    }

    /// The value if it is fresh.
    pub(super) fn fresh(&self, now: UnixMs) -> Option<&Filled> {
        self.filled.as_ref().filter(|filled| now < filled.fresh_until)
    }

    /// The lease if it has not run out.
    pub(super) fn leased(&self, now: UnixMs) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| now < lease.until)
    }

    /// When somebody who waits for this entry should look again: at the end of the lease.
    pub fn next_due(&self) -> Option<UnixMs> {
        self.lease.as_ref().map(|lease| lease.until)
    }
}

impl Value for Entry {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Lease { token, until, kept_until } => {
                self.lease = Some(Lease { token, until, kept_until })
            }
            Effect::Fill { by, fresh_until, stale_until, value } => {
                self.filled = Some(Filled { value, fresh_until, stale_until, by });
                self.lease = None;
            }
            // The token is forgotten: what it would store is fenced.
            Effect::Release { until: None } => self.lease = None,
            Effect::Release { until: Some(until) } => {
                self.lease = Some(Lease { token: 0, until, kept_until: until });
            }
        }
    }

    fn lifetime(&self) -> Lifetime {
        let value = self.filled.as_ref().map(|filled| filled.stale_until);
        let lease = self.lease.as_ref().map(|lease| lease.kept_until);
        match value.max(lease) {
            None => Lifetime::Over,
            Some(NEVER) => Lifetime::Endless,
            Some(at) => Lifetime::Until(at),
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        writer.option(self.lease.as_ref(), |writer, lease| {
            writer.int(lease.token);
            writer.int(lease.until);
            writer.int(lease.kept_until);
        });
        writer.option(self.filled.as_ref(), |writer, filled| {
            writer.int(filled.by);
            writer.int(filled.fresh_until);
            writer.int(filled.stale_until);
            writer.raw(&filled.value);
        });
        if self.lease.is_some() || self.filled.is_some() {
            emit(&writer.finish());
        }
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut reader = Reader::new(block);
        self.lease = reader.option(|reader| {
            Ok(Lease { token: reader.int()?, until: reader.int()?, kept_until: reader.int()? })
        })?;
        self.filled = reader.option(|reader| {
            let (by, fresh_until, stale_until) = (reader.int()?, reader.int()?, reader.int()?);
            Ok(Filled { by, fresh_until, stale_until, value: reader.raw(reader.left())?.into() })
        })?;
        reader.end()
    }

    fn loaded(&mut self) -> Result<(), Corrupt> {
        let lease = self.lease.as_ref().is_none_or(|lease| lease.until <= lease.kept_until);
        let value = self.filled.as_ref().is_none_or(|filled| filled.fresh_until <= filled.stale_until);
        let something = self.lease.is_some() || self.filled.is_some();
        if lease && value && something { Ok(()) } else { Err(Corrupt) }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.filled.as_ref().map_or(0, |filled| filled.value.len())
    }

    fn free_effort(&self) -> usize {
        2
    }

    fn duplicate(&self) -> Self {
        Entry { filled: self.filled.clone(), lease: None }
    }

    fn highest_token(&self) -> u64 {
        let lease = self.lease.as_ref().map_or(0, |lease| lease.token);
        lease.max(self.filled.as_ref().map_or(0, |filled| filled.by))
    }
}
