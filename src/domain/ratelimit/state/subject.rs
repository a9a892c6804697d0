//! All limits under one key.

use crate::domain::codec::Corrupt;
use crate::domain::ratelimit::algorithm::token_bucket::Bucket;
use crate::domain::ratelimit::charge::Take;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Kind;
use crate::domain::ratelimit::state::extras::Extras;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::packed_bucket::Packed;
use crate::domain::ratelimit::state::usage::{Held, Usage};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

/// A subject: the limits of which something is taken. Full ones are dropped by the next change, so that
/// a subject takes memory for what is in use only.
#[derive(Debug, Clone, Default)]
pub struct Subject(pub(crate) Limits);

/// A subject with one unnamed bucket is 32 bytes in all, without a further allocation.
#[derive(Debug, Clone, Default)]
pub(crate) enum Limits {
    #[default]
    None,
    Bucket(Packed),
    /// In the order of [`Limit::order`], at most 16; never a single unnamed bucket.
    Many(Vec<Held>),
    /// With something beside the limits.
    Rich(Box<Parts>),
}

/// All that a subject holds, taken apart to be changed.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// In the order of [`Limit::order`], at most 16.
    pub list: Vec<Held>,
    pub extras: Extras,
}

impl Parts {
    /// Drops what has run out: full limits (unless an open hold charges them) and extras.
    pub fn purge(&mut self, now: UnixMs) {
        let Parts { list, extras } = self;
        extras.purge(now);
        list.retain(|held| !held.is_full(now) || extras.holds.charge(&held.limit()));
    }

    pub fn find_mut(&mut self, limit: &Limit<'_>) -> Option<&mut Held> {
        let at = self.list.binary_search_by(|held| held.limit().order(limit)).ok()?;
        Some(&mut self.list[at])
    }
}

impl Subject {
    /// Calls `with` on the use of `limit`, if the subject holds it.
    pub(crate) fn find<R>(&self, limit: &Limit<'_>, with: impl FnOnce(&Held) -> R) -> Option<R> {
        match &self.0 {
            Limits::None => None,
            Limits::Bucket(one) => {
                let is_it = limit.name.is_none() && one.is_of(&limit.rule);
                is_it.then(|| with(&one.held()))
            }
            Limits::Many(many) => find_in(many, limit).map(with),
            Limits::Rich(parts) => find_in(&parts.list, limit).map(with),
        }
    }

    /// What the subject has beside its limits, if anything.
    pub(crate) fn extras(&self) -> Option<&Extras> {
        match &self.0 {
            Limits::Rich(parts) => Some(&parts.extras),
            _ => None,
        }
    }

    /// The lock that holds at `now`.
    pub(crate) fn lock(&self, now: UnixMs) -> Option<Lock> {
        self.extras()?.lock.filter(|lock| lock.until > now)
    }

    /// Calls `each` on every limit, in their order, with the limit as it may be kept.
    pub(crate) fn each<'a>(&'a self, mut each: impl FnMut(Limit<'a>, &Held)) {
        match &self.0 {
            Limits::None => {}
            Limits::Bucket(one) => each(Limit { name: None, rule: one.rule() }, &one.held()),
            Limits::Many(many) => many.iter().for_each(|held| each(held.limit(), held)),
            Limits::Rich(parts) => parts.list.iter().for_each(|held| each(held.limit(), held)),
        }
    }

    /// How many limits are kept, full ones included.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Limits::None => 0,
            Limits::Bucket(_) => 1,
            Limits::Many(many) => many.len(),
            Limits::Rich(parts) => parts.list.len(),
        }
    }

    /// The highest number of limits that could be held once those of `asked` are: those in use at `now`
    /// that are not among them, and them.
    pub(crate) fn held_with<'a>(
        &self,
        asked: impl Iterator<Item = &'a Limit<'a>> + Clone,
        now: UnixMs,
    ) -> usize {
        let mut others = 0;
        let holds = self.extras().map(|extras| &extras.holds);
        self.each(|limit, held| {
            let kept = !held.is_full(now) || holds.is_some_and(|holds| holds.charge(&limit));
            others += usize::from(kept && !asked.clone().any(|ask| ask.same(&limit)));
        });
        others + asked.count()
    }

    /// Takes everything out; [`Subject::put`] puts it back.
    pub(crate) fn parts(&mut self) -> Parts {
        let list = match std::mem::take(&mut self.0) {
            Limits::None => Vec::new(),
            Limits::Bucket(one) => vec![one.held()],
            Limits::Many(many) => many,
            Limits::Rich(parts) => return *parts,
        };
        Parts { list, extras: Extras::default() }
    }

    /// Keeps the parts, in their smallest form.
    pub(crate) fn put(&mut self, mut parts: Parts) {
        let list = &mut parts.list;
        if list.capacity() > list.len() * 2 {
            list.shrink_to_fit();
        }
        self.0 = match &list[..] {
            _ if !parts.extras.is_empty() => Limits::Rich(Box::new(parts)),
            [] => Limits::None,
            [Held { name: None, rule, usage: Usage::Bucket(bucket) }] => {
                Limits::Bucket(Packed::new(bucket, rule))
            }
            _ => Limits::Many(parts.list),
        };
    }

    /// The one limit that the subject holds and `take` is of, without taking the list apart.
    pub(crate) fn take_alone(&mut self, take: &Take, now: UnixMs) -> bool {
        let bucket = take.name.is_none() && matches!(take.rule.kind, Kind::Bucket { .. });
        match &mut self.0 {
            Limits::None if bucket => {
                let mut fresh = Bucket::default();
                fresh.take(&take.rule, take.cost, now);
                self.0 = Limits::Bucket(Packed::new(&fresh, &take.rule));
                true
            }
            Limits::Bucket(one) if bucket && one.is_of(&take.rule) => {
                let mut bucket = one.bucket();
                bucket.take(&take.rule, take.cost, now);
                one.set(&bucket);
                true
            }
            Limits::Many(many) => match &mut many[..] {
                [one] if one.limit().same(&take.limit()) => {
                    // A named bucket may become a window and back, an unnamed one never: it stays here.
                    one.take(&take.rule, take.span, take.cost, now);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}

fn find_in<'l>(list: &'l [Held], limit: &Limit<'_>) -> Option<&'l Held> {
    list.iter().find(|held| held.limit().same(limit))
}

#[cfg(test)]
#[path = "../tests/subject.rs"]
mod tests;
