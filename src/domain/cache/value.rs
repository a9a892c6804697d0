//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::cache::state::entry::CacheEntry;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::value_meta::{Annotations, NEVER, ValueMeta};
use crate::domain::cache::{Effect, encoding};
use crate::domain::codec::Corrupt;
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::value::{Lifetime, OnString, Value};

impl CacheEntry {
    /// The class under which statistics count the entry; 0 while it is not counted. No part of the
    /// state.
    pub fn class(&self) -> u16 {
        self.packed_meta.class()
    }

    /// Bytes of the value, its tags and its META.
    fn content_bytes(&self) -> usize {
        let annotations = self.rare.annotations().map_or(0, Annotations::heap_bytes);
        self.bytes.as_ref().map_or(0, |bytes| bytes.len()) + annotations
    }

    /// Notes the class, below 512. It is lost when the entry changes.
    pub fn classify(&mut self, class: u16) {
        self.packed_meta.classify(class);
    }
}

impl Value for CacheEntry {
    type Effect = Effect;

    /// 2 added META, 3 shortened the tokens.
    const ENCODING: u32 = 3;

    /// A new key, and a value that is larger than the one it replaces. The value of a load that was
    /// granted ends its lease, whatever its size.
    fn adds(entry: Option<&Self>, effect: &Effect) -> bool {
        let Some(entry) = entry else {
            return matches!(effect, Effect::Fill { .. } | Effect::Set { .. } | Effect::SetAnnotated { .. });
        };
        let is_larger = |meta: &ValueMeta, new_bytes: usize| {
            let ends_lease = entry.lease().is_some_and(|lease| lease.token == meta.token);
            !ends_lease && new_bytes > entry.content_bytes()
        };
        match effect {
            Effect::Set { meta, bytes } => is_larger(meta, bytes.len()),
            Effect::SetAnnotated { meta, annotations, bytes } => {
                is_larger(meta, bytes.len() + annotations.heap_bytes())
            }
            Effect::Fill { .. }
            | Effect::Refresh { .. }
            | Effect::Release { .. }
            | Effect::Expire { .. }
            | Effect::Drop { .. }
            | Effect::Touch { .. } => false,
        }
    }

    /// CACHE.EXPIRE and TOUCH treat a string as a value without a lease.
    fn on_string(effect: &Effect) -> OnString {
        match effect {
            Effect::Drop { .. } => OnString::Delete,
            Effect::Touch { fresh_until } => OnString::ExpireAt(*fresh_until),
            _ => OnString::Replace,
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Fill { token, since, lease } => {
                *self = CacheEntry::with_lease(Lease { token, since, span: lease, released: false });
            }
            Effect::Refresh { token, since, lease } => {
                self.rare.set_lease(Some(Lease { token, since, span: lease, released: false }));
            }
            Effect::Release { token, at, delay } => {
                self.rare.set_lease(Some(Lease { token, since: at, span: delay, released: true }));
            }
            Effect::Set { meta, bytes } => *self = CacheEntry::with_value(meta, bytes, None),
            Effect::SetAnnotated { meta, annotations, bytes } => {
                *self = CacheEntry::with_value(meta, bytes, None).annotated(annotations);
            }
            Effect::Drop { token: _ } => *self = CacheEntry::default(),
            Effect::Expire { token, at } => self.expire(token, at),
            Effect::Touch { fresh_until } => self.touch(fresh_until),
        }
    }

    fn lifetime(&self) -> Lifetime {
        let lease = self.lease().map(|lease| lease.kept_until());
        match (self.meta(), lease) {
            (Some(meta), _) if meta.fresh_until == NEVER => Lifetime::Endless,
            (Some(meta), lease) => Lifetime::Until(meta.stale_until().max(lease.unwrap_or(0))),
            (None, Some(lease)) => Lifetime::Until(lease),
            (None, None) => Lifetime::Over,
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        if self.lifetime() != Lifetime::Over {
            emit(&encoding::write(self));
        }
    }

    /// An entry of any size is a single block.
    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if self.lifetime() != Lifetime::Over {
            return Err(Corrupt);
        }
        *self = encoding::read(encoding, block)?;
        Ok(())
    }

    fn memory(&self) -> usize {
        size_of::<CacheEntry>() + self.bytes.as_ref().map_or(0, |bytes| bytes.len()) + self.rare.heap_bytes()
    }

    fn free_effort(&self) -> usize {
        1 + usize::from(self.bytes.is_some()) + 3 * usize::from(!self.rare.is_empty())
    }

    /// The copy has the value but not the lease: the client that loads, loads for the original.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        copy.rare.set_lease(None);
        copy.classify(0);
        copy
    }

    /// A TTL is at most [`LONGEST`].
    fn latest_time(&self) -> UnixMs {
        let fresh = self.meta().map(|meta| meta.fresh_until).filter(|until| *until != NEVER);
        let lease = self.lease().map(|lease| lease.since);
        fresh.map_or(0, |until| until.saturating_sub(LONGEST)).max(lease.unwrap_or(0))
    }

    fn highest_token(&self) -> u64 {
        let token = self.meta().map_or(0, |meta| meta.token);
        token.max(self.lease().map_or(0, |lease| lease.token))
    }
}
