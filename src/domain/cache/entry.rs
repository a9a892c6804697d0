//! The entry under a cache key.

use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

use super::lease::Lease;
use super::{Effect, encoding};

/// One cache key: 48 bytes, the value, and the lease while someone loads.
///
/// A default entry holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub(super) value: Option<Box<[u8]>>,
    /// Until when the value is fresh; [`NEVER`] without a TTL.
    pub(super) fresh_until: UnixMs,
    /// How long it may be served stale after that, ms.
    pub(super) grace: u64,
    /// The token under which the value was stored: that of its load, or an own one if it was set without.
    /// It lets a re-sent SET be answered alike. 0 without a value. (Tokens leave eleven bits free.)
    pub(super) grant: u64,
    /// Rare, so apart: most entries are loaded once and read often.
    pub(super) lease: Option<Box<Lease>>,
}

/// The end of freshness of a value without a TTL.
pub(super) const NEVER: UnixMs = UnixMs::MAX;

/// What an entry is worth to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth<'a> {
    /// How long it stays fresh, ms; nothing for ever.
    Fresh(&'a [u8], Option<u64>),
    /// How much of the grace is left, ms.
    Stale(&'a [u8], u64),
    Nothing,
}

impl Entry {
    pub(super) fn worth(&self, now: UnixMs) -> Worth<'_> {
        match self.value.as_deref() {
            Some(value) if self.fresh_until == NEVER => Worth::Fresh(value, None),
            Some(value) if now < self.fresh_until => Worth::Fresh(value, Some(self.fresh_until - now)),
            Some(value) if now < self.stale_until() => Worth::Stale(value, self.stale_until() - now),
            _ => Worth::Nothing,
        }
    }

    fn stale_until(&self) -> UnixMs {
        self.fresh_until.saturating_add(self.grace)
    }

    /// Whether it still counts at `now`; an entry past its end is as good as missing, whether or not the
    /// server has removed the key yet.
    pub(super) fn stands(&self, now: UnixMs) -> bool {
        match self.lifetime() {
            Lifetime::Endless => true,
            Lifetime::Until(end) => now < end,
            Lifetime::Over => false,
        }
    }

    /// CACHE.GET: the value while it is fresh.
    pub fn view(&self, now: UnixMs) -> Option<&[u8]> {
        match self.worth(now) {
            Worth::Fresh(value, _) => Some(value),
            Worth::Stale(..) | Worth::Nothing => None,
        }
    }

    /// When a waiter should look at the entry again, if nothing happens to it before: the lease runs
    /// out, or the entry ends. A time that has passed means: now.
    pub fn next_due(&self) -> Option<UnixMs> {
        match (&self.lease, self.lifetime()) {
            (Some(lease), _) => Some(lease.deadline()),
            (None, Lifetime::Until(end)) => Some(end),
            (None, Lifetime::Endless | Lifetime::Over) => None,
        }
    }
}

impl Value for Entry {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Fill { token, since, lease } => {
                let lease = Lease { token, since, span: lease };
                *self = Entry { lease: Some(Box::new(lease)), ..Entry::default() };
            }
            Effect::Refresh { token, since, lease } => {
                self.lease = Some(Box::new(Lease { token, since, span: lease }));
            }
            Effect::Release => self.lease = None,
            Effect::Set { grant, fresh_until, grace, value } => {
                let fresh_until = fresh_until.unwrap_or(NEVER);
                *self = Entry { value: Some(value), fresh_until, grace, grant, lease: None };
            }
        }
    }

    fn lifetime(&self) -> Lifetime {
        let lease = self.lease.as_ref().map(|lease| lease.kept_until());
        match (&self.value, lease) {
            (Some(_), _) if self.fresh_until == NEVER => Lifetime::Endless,
            (Some(_), lease) => Lifetime::Until(self.stale_until().max(lease.unwrap_or(0))),
            (None, Some(lease)) => Lifetime::Until(lease),
            (None, None) => Lifetime::Over,
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        if self.lifetime() != Lifetime::Over {
            emit(&encoding::write(self));
        }
    }

    /// An entry is a single block, whatever its size.
    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if self.lifetime() != Lifetime::Over {
            return Err(Corrupt);
        }
        *self = encoding::read(block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        size_of::<Entry>()
            + self.value.as_ref().map_or(0, |value| value.len())
            + self.lease.as_ref().map_or(0, |_| size_of::<Lease>())
    }

    fn free_effort(&self) -> usize {
        1 + usize::from(self.value.is_some()) + usize::from(self.lease.is_some())
    }

    /// The copy has the value but not the lease: whoever loads, loads for the original.
    fn duplicate(&self) -> Self {
        Entry { lease: None, ..self.clone() }
    }

    fn highest_token(&self) -> u64 {
        self.grant.max(self.lease.as_ref().map_or(0, |lease| lease.token))
    }
}
