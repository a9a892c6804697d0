//! The entry under a cache key.

use crate::domain::cache::state::compression;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::lease_and_tags::Aside;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::{Form, Kept, NEVER, Packed};
use crate::domain::cache::{Effect, Horizon, Invalidations};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};
use std::borrow::Cow;

/// One cache key: 48 bytes, the value, and the lease while someone loads.
///
/// A default entry holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Empty where absence is what is known.
    pub(crate) bytes: Option<Box<[u8]>>,
    /// Means nothing without bytes.
    pub(crate) packed: Packed,
    pub(crate) aside: Aside,
}

/// What an entry is worth to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// How long it stays fresh, ms; nothing for ever.
    Fresh(Option<u64>),
    /// How much of the grace is left, ms.
    Stale(u64),
    Nothing,
}

impl Entry {
    pub(crate) fn holding(kept: Kept, bytes: Box<[u8]>, lease: Option<Lease>) -> Self {
        Entry { bytes: Some(bytes), packed: Packed::of(kept), aside: Aside::new(lease, Tags::default()) }
    }

    /// Its value with these tags.
    pub(crate) fn with(self, tags: Tags) -> Self {
        Entry { aside: Aside::new(self.lease().copied(), tags), ..self }
    }

    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.aside.lease()
    }

    /// Of the value.
    pub(crate) fn tags(&self) -> &Tags {
        self.aside.tags()
    }

    pub(crate) fn leased(lease: Lease) -> Self {
        Entry { aside: Aside::new(Some(lease), Tags::default()), ..Entry::default() }
    }

    /// What is known of the value, if there is one or its absence.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.bytes.is_some().then(|| self.packed.kept())
    }

    /// The value; nothing where absence is known, or nothing is.
    pub(crate) fn value(&self) -> Option<Cow<'_, [u8]>> {
        let bytes = self.bytes.as_deref()?;
        match self.packed.kept().form {
            Form::Plain => Some(Cow::Borrowed(bytes)),
            Form::Absent => None,
            // It was found sound when it came in.
            Form::Lz4 => compression::unpacked(bytes),
        }
    }

    pub(crate) fn worth(&self, now: UnixMs) -> Worth {
        match self.kept() {
            Some(kept) if kept.fresh_until == NEVER => Worth::Fresh(None),
            Some(kept) if now < kept.fresh_until => Worth::Fresh(Some(kept.fresh_until - now)),
            Some(kept) if now < kept.stale_until() => Worth::Stale(kept.stale_until() - now),
            _ => Worth::Nothing,
        }
    }

    /// Whether it still counts at `now`; an entry past its end is as good as missing, whether or not the
    /// server has removed the key yet.
    pub(crate) fn stands(&self, now: UnixMs) -> bool {
        match self.lifetime() {
            Lifetime::Endless => true,
            Lifetime::Until(end) => now < end,
            Lifetime::Over => false,
        }
    }

    /// CACHE.GET: the value while it is fresh.
    pub fn view(&self, now: UnixMs) -> Option<Cow<'_, [u8]>> {
        match self.worth(now) {
            Worth::Fresh(_) => self.value(),
            Worth::Stale(_) | Worth::Nothing => None,
        }
    }

    /// Whether it is known that there is nothing.
    pub fn is_absent(&self, now: UnixMs) -> bool {
        matches!(self.worth(now), Worth::Fresh(_)) && self.value().is_none()
    }

    /// All fills in flight are fenced; what may be served stale is stale for its grace from `at`, and
    /// not longer than it would have been.
    pub(crate) fn expire(&mut self, grant: u64, at: UnixMs) {
        self.aside.set_lease(None);
        match self.kept() {
            Some(kept) if kept.grace > 0 => {
                let fresh_until = kept.fresh_until.min(at);
                self.packed = Packed::of(Kept { grant, fresh_until, ..kept });
            }
            _ => (self.bytes, self.aside) = (None, Aside::default()),
        }
    }

    /// Fresh until then, however it was loaded: no early election follows.
    pub(crate) fn touch(&mut self, fresh_until: UnixMs) {
        if let Some(kept) = self.kept() {
            self.packed = Packed::of(Kept { fresh_until, load: 0, ..kept });
        }
    }

    /// What the newest invalidation that concerns the entry under `key` makes of it, where it makes a
    /// difference. It does so for a value, and a lease, that was granted before.
    pub fn invalidated(&self, key: &[u8], marks: &Invalidations) -> Option<Effect> {
        let mark = marks.over(key, self.tags().iter())?;
        let value = self.kept().is_some_and(|kept| kept.grant < mark.token);
        let lease = self.lease().is_some_and(|lease| lease.token < mark.token);
        (value || lease).then_some(Effect::Expire { grant: mark.token, at: mark.at })
    }

    /// Until when it may be of use to anyone.
    pub fn horizon(&self) -> Horizon {
        let end = match self.lifetime() {
            Lifetime::Endless => UnixMs::MAX,
            Lifetime::Until(end) => end,
            Lifetime::Over => 0,
        };
        // Which tags a load will have is not known before it is stored.
        let may_have_tags = self.lease().is_some() || !self.tags().is_empty();
        Horizon { tagged: if may_have_tags { end } else { 0 }, any: end }
    }

    /// When a waiter should look at the entry again, if nothing happens to it before: the lease runs
    /// out, or the entry ends. A time that has passed means: now.
    pub fn next_due(&self) -> Option<UnixMs> {
        match (self.lease(), self.lifetime()) {
            (Some(lease), _) => Some(lease.deadline()),
            (None, Lifetime::Until(end)) => Some(end),
            (None, Lifetime::Endless | Lifetime::Over) => None,
        }
    }
}
