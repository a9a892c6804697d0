//! The entry under a cache key.

use crate::domain::cache::state::compression;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::{
    Annotations, NEVER, PackedMeta, RareParts, ValueForm, ValueMeta,
};
use crate::domain::cache::{Effect, Invalidation, Invalidations, LatestExpiry};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};
use std::borrow::Cow;

/// One cache key: 48 bytes, the value, and the lease while someone loads.
///
/// A default entry holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheEntry {
    /// Empty where absence is what is known.
    pub(crate) bytes: Option<Box<[u8]>>,
    /// Means nothing without bytes.
    pub(crate) packed_meta: PackedMeta,
    pub(crate) rare: RareParts,
}

/// How fresh the value of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// How long it stays fresh, ms; nothing for ever.
    Fresh(Option<u64>),
    /// How much of the grace is left, ms.
    Stale(u64),
    Nothing,
}

impl CacheEntry {
    pub(crate) fn with_value(meta: ValueMeta, bytes: Box<[u8]>, lease: Option<Lease>) -> Self {
        CacheEntry {
            bytes: Some(bytes),
            packed_meta: PackedMeta::pack(meta),
            rare: RareParts::new(lease, Annotations::default()),
        }
    }

    /// The same entry, with these annotations of its value.
    pub(crate) fn annotated(self, annotations: Annotations) -> Self {
        CacheEntry { rare: RareParts::new(self.lease().copied(), annotations), ..self }
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.rare.lease()
    }

    /// Of the value.
    pub(crate) fn tags(&self) -> &Tags {
        self.rare.tags()
    }

    pub(crate) fn with_lease(lease: Lease) -> Self {
        CacheEntry { rare: RareParts::new(Some(lease), Annotations::default()), ..CacheEntry::default() }
    }

    /// What is known of the value, if there is one or its absence.
    pub(crate) fn meta(&self) -> Option<ValueMeta> {
        self.bytes.is_some().then(|| self.packed_meta.meta())
    }

    /// The value; nothing where absence is known, or nothing is.
    pub(crate) fn value(&self) -> Option<Cow<'_, [u8]>> {
        let bytes = self.bytes.as_deref()?;
        match self.packed_meta.meta().form {
            ValueForm::Plain => Some(Cow::Borrowed(bytes)),
            ValueForm::Absent => None,
            // It was found sound when it came in.
            ValueForm::Lz4 => compression::decompress(bytes),
        }
    }

    pub(crate) fn freshness(&self, now: UnixMs) -> Freshness {
        match self.meta() {
            Some(meta) if meta.fresh_until == NEVER => Freshness::Fresh(None),
            Some(meta) if now < meta.fresh_until => Freshness::Fresh(Some(meta.fresh_until - now)),
            Some(meta) if now < meta.stale_until() => Freshness::Stale(meta.stale_until() - now),
            _ => Freshness::Nothing,
        }
    }

    /// Whether the entry has not ended at `now`. An ended entry counts as missing, even if the
    /// server has not removed the key yet.
    pub(crate) fn is_live(&self, now: UnixMs) -> bool {
        match self.lifetime() {
            Lifetime::Endless => true,
            Lifetime::Until(end) => now < end,
            Lifetime::Over => false,
        }
    }

    /// CACHE.GET: the value while it is fresh.
    pub fn view(&self, now: UnixMs) -> Option<Cow<'_, [u8]>> {
        match self.freshness(now) {
            Freshness::Fresh(_) => self.value(),
            Freshness::Stale(_) | Freshness::Nothing => None,
        }
    }

    /// Whether it is known that there is nothing.
    pub fn is_absent(&self, now: UnixMs) -> bool {
        matches!(self.freshness(now), Freshness::Fresh(_)) && self.value().is_none()
    }

    /// Fences all loads. A value with a GRACE is stale for its GRACE from `at`, and no longer than
    /// it would have been. A value without one is removed.
    pub(crate) fn expire(&mut self, token: u64, at: UnixMs) {
        self.rare.set_lease(None);
        match self.meta() {
            Some(meta) if meta.grace > 0 => {
                let fresh_until = meta.fresh_until.min(at);
                self.packed_meta = PackedMeta::pack(ValueMeta { token, fresh_until, ..meta });
            }
            _ => (self.bytes, self.rare) = (None, RareParts::default()),
        }
    }

    /// Makes the value fresh until then. It is not reloaded early: its load time is forgotten.
    pub(crate) fn touch(&mut self, fresh_until: UnixMs) {
        if let Some(meta) = self.meta() {
            self.packed_meta = PackedMeta::pack(ValueMeta { fresh_until, load: 0, ..meta });
        }
    }

    /// The META that came with the value.
    pub fn client_meta(&self) -> Option<&[u8]> {
        self.rare.client_meta()
    }

    /// Returns the effect of the newest invalidation on the entry under `key`, if it applies: if
    /// the value or the lease was granted before it.
    pub fn invalidated(&self, key: &[u8], invalidations: &Invalidations) -> Option<Effect> {
        let newest = invalidations.newest_for(key, self.tags().iter());
        let is_before = |invalidation: &Invalidation| {
            self.meta().is_some_and(|meta| meta.token < invalidation.token)
                || self.lease().is_some_and(|lease| lease.token < invalidation.token)
        };
        if let Some(hard) = newest.hard.filter(is_before) {
            return Some(Effect::Drop { token: hard.token });
        }
        let soft = newest.soft.filter(is_before)?;
        Some(Effect::Expire { token: soft.token, at: soft.at })
    }

    /// Returns when the entry ends.
    pub fn latest_expiry(&self) -> LatestExpiry {
        let end = match self.lifetime() {
            Lifetime::Endless => UnixMs::MAX,
            Lifetime::Until(end) => end,
            Lifetime::Over => 0,
        };
        // Which tags a load will have is not known before it is stored.
        let may_have_tags = self.lease().is_some() || !self.tags().is_empty();
        LatestExpiry { tagged: if may_have_tags { end } else { 0 }, any: end }
    }

    /// Returns when a waiter must be tried again if nothing changes the entry before: when the
    /// lease ends, or the entry. A time in the past means now.
    pub fn next_due(&self) -> Option<UnixMs> {
        match (self.lease(), self.lifetime()) {
            (Some(lease), _) => Some(lease.deadline()),
            (None, Lifetime::Until(end)) => Some(end),
            (None, Lifetime::Endless | Lifetime::Over) => None,
        }
    }
}
