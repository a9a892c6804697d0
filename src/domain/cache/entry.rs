//! The entry under a cache key.

use std::borrow::Cow;

use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

use super::aside::Aside;
use super::kept::{Form, Kept, NEVER, Packed};
use super::lease::Lease;
use super::tags::Tags;
use super::{Effect, Horizon, Invalidations, encoding, lz4};

/// One cache key: 48 bytes, the value, and the lease while someone loads.
///
/// A default entry holds nothing: it is what an effect finds at a missing key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Empty where absence is what is known.
    pub(super) bytes: Option<Box<[u8]>>,
    /// Means nothing without bytes.
    packed: Packed,
    aside: Aside,
}

/// What an entry is worth to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// How long it stays fresh, ms; nothing for ever.
    Fresh(Option<u64>),
    /// How much of the grace is left, ms.
    Stale(u64),
    Nothing,
}

impl Entry {
    pub(super) fn holding(kept: Kept, bytes: Box<[u8]>, lease: Option<Lease>) -> Self {
        Entry { bytes: Some(bytes), packed: Packed::of(kept), aside: Aside::new(lease, Tags::default()) }
    }

    /// Its value with these tags.
    pub(super) fn with(self, tags: Tags) -> Self {
        Entry { aside: Aside::new(self.lease().copied(), tags), ..self }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.aside.lease()
    }

    /// Of the value.
    pub(super) fn tags(&self) -> &Tags {
        self.aside.tags()
    }

    pub(super) fn leased(lease: Lease) -> Self {
        Entry { aside: Aside::new(Some(lease), Tags::default()), ..Entry::default() }
    }

    /// What is known of the value, if there is one or its absence.
    pub(super) fn kept(&self) -> Option<Kept> {
        self.bytes.is_some().then(|| self.packed.kept())
    }

    /// The value; nothing where absence is known, or nothing is.
    pub(super) fn value(&self) -> Option<Cow<'_, [u8]>> {
        let bytes = self.bytes.as_deref()?;
        match self.packed.kept().form {
            Form::Plain => Some(Cow::Borrowed(bytes)),
            Form::Absent => None,
            // It was found sound when it came in.
            Form::Lz4 => lz4::unpacked(bytes),
        }
    }

    pub(super) fn worth(&self, now: UnixMs) -> Worth {
        match self.kept() {
            Some(kept) if kept.fresh_until == NEVER => Worth::Fresh(None),
            Some(kept) if now < kept.fresh_until => Worth::Fresh(Some(kept.fresh_until - now)),
            Some(kept) if now < kept.stale_until() => Worth::Stale(kept.stale_until() - now),
            _ => Worth::Nothing,
        }
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
    fn expire(&mut self, grant: u64, at: UnixMs) {
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
    fn touch(&mut self, fresh_until: UnixMs) {
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

impl Value for Entry {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    const COUNTED: bool = true;

    fn class(&self) -> u16 {
        self.packed.class()
    }

    fn classify(&mut self, class: u16) {
        self.packed.classify(class);
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Fill { token, since, lease } => {
                *self = Entry::leased(Lease { token, since, span: lease, released: false });
            }
            Effect::Refresh { token, since, lease } => {
                self.aside.set_lease(Some(Lease { token, since, span: lease, released: false }));
            }
            Effect::Release { token, at, delay } => {
                self.aside.set_lease(Some(Lease { token, since: at, span: delay, released: true }));
            }
            Effect::Set { kept, bytes } => *self = Entry::holding(kept, bytes, None),
            Effect::SetTagged { kept, tags, bytes } => {
                *self = Entry::holding(kept, bytes, None).with(tags);
            }
            Effect::Expire { grant, at } => self.expire(grant, at),
            Effect::Touch { fresh_until } => self.touch(fresh_until),
        }
    }

    fn lifetime(&self) -> Lifetime {
        let lease = self.lease().map(|lease| lease.kept_until());
        match (self.kept(), lease) {
            (Some(kept), _) if kept.fresh_until == NEVER => Lifetime::Endless,
            (Some(kept), lease) => Lifetime::Until(kept.stale_until().max(lease.unwrap_or(0))),
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
        size_of::<Entry>() + self.bytes.as_ref().map_or(0, |bytes| bytes.len()) + self.aside.heap()
    }

    fn free_effort(&self) -> usize {
        1 + usize::from(self.bytes.is_some()) + 2 * usize::from(!self.aside.is_empty())
    }

    /// The copy has the value but not the lease: whoever loads, loads for the original.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        copy.aside.set_lease(None);
        copy.classify(0);
        copy
    }

    fn highest_token(&self) -> u64 {
        let grant = self.kept().map_or(0, |kept| kept.grant);
        grant.max(self.lease().map_or(0, |lease| lease.token))
    }
}
