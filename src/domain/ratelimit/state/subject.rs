//! All limits under one key.

use crate::domain::ratelimit::algorithm::token_bucket::TokenBucket;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::packed_bucket::PackedBucket;
use crate::domain::ratelimit::state::restrictions::Restrictions;
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;

/// A subject: the limits of which something is taken. Full ones are dropped by the next change, so that
/// a subject takes memory for what is in use only.
#[derive(Debug, Clone, Default)]
pub struct Subject(pub(crate) LimitStorage);

/// A subject with one unnamed bucket is 32 bytes in all, without a further allocation.
#[derive(Debug, Clone, Default)]
pub(crate) enum LimitStorage {
    #[default]
    None,
    Bucket(PackedBucket),
    /// In the order of [`Limit::cmp_key`], at most 16; never a single unnamed bucket.
    Many(Vec<LimitUsage>),
    /// With something beside the limits.
    WithRestrictions(Box<SubjectParts>),
}

/// All that a subject holds, taken apart to be changed.
#[derive(Debug, Clone, Default)]
pub struct SubjectParts {
    /// In the order of [`Limit::cmp_key`], at most 16.
    pub list: Vec<LimitUsage>,
    pub restrictions: Restrictions,
}

impl SubjectParts {
    /// Drops what has run out: full limits (unless an open hold charges them) and restrictions.
    pub fn purge(&mut self, now: UnixMs) {
        let SubjectParts { list, restrictions } = self;
        restrictions.purge(now);
        list.retain(|held| !held.is_unused(now) || restrictions.holds.is_charged(&held.limit()));
    }

    pub fn find_mut(&mut self, limit: &Limit<'_>) -> Option<&mut LimitUsage> {
        let at = self.list.binary_search_by(|held| held.limit().cmp_key(limit)).ok()?;
        Some(&mut self.list[at])
    }
}

impl Subject {
    /// Calls `with` on the use of `limit`, if the subject holds it.
    pub(crate) fn find<R>(&self, limit: &Limit<'_>, with: impl FnOnce(&LimitUsage) -> R) -> Option<R> {
        match &self.0 {
            LimitStorage::None => None,
            LimitStorage::Bucket(one) => {
                let is_it = limit.name.is_none() && one.is_of(&limit.rule);
                is_it.then(|| with(&one.to_usage()))
            }
            LimitStorage::Many(many) => find_in(many, limit).map(with),
            LimitStorage::WithRestrictions(parts) => find_in(&parts.list, limit).map(with),
        }
    }

    /// What the subject has beside its limits, if anything.
    pub(crate) fn restrictions(&self) -> Option<&Restrictions> {
        match &self.0 {
            LimitStorage::WithRestrictions(parts) => Some(&parts.restrictions),
            _ => None,
        }
    }

    /// The lock that holds at `now`.
    pub(crate) fn lock(&self, now: UnixMs) -> Option<Lock> {
        self.restrictions()?.lock.filter(|lock| lock.until > now)
    }

    /// Calls `each` on every limit, in their order, with the limit as it may be kept.
    pub(crate) fn for_each_limit<'a>(&'a self, mut each: impl FnMut(Limit<'a>, &LimitUsage)) {
        match &self.0 {
            LimitStorage::None => {}
            LimitStorage::Bucket(one) => each(Limit { name: None, rule: one.rule() }, &one.to_usage()),
            LimitStorage::Many(many) => many.iter().for_each(|held| each(held.limit(), held)),
            LimitStorage::WithRestrictions(parts) => {
                parts.list.iter().for_each(|held| each(held.limit(), held))
            }
        }
    }

    /// How many limits are kept, full ones included.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            LimitStorage::None => 0,
            LimitStorage::Bucket(_) => 1,
            LimitStorage::Many(many) => many.len(),
            LimitStorage::WithRestrictions(parts) => parts.list.len(),
        }
    }

    /// The highest number of limits that could be held once those of `asked` are: those in use at `now`
    /// that are not among them, and them.
    pub(crate) fn count_with<'a>(
        &self,
        asked: impl Iterator<Item = &'a Limit<'a>> + Clone,
        now: UnixMs,
    ) -> usize {
        let mut others = 0;
        let holds = self.restrictions().map(|restrictions| &restrictions.holds);
        self.for_each_limit(|limit, held| {
            let kept = !held.is_unused(now) || holds.is_some_and(|holds| holds.is_charged(&limit));
            others += usize::from(kept && !asked.clone().any(|item| item.shares_counter(&limit)));
        });
        others + asked.count()
    }

    /// Takes everything out; [`Subject::set_parts`] puts it back.
    pub(crate) fn take_parts(&mut self) -> SubjectParts {
        let list = match std::mem::take(&mut self.0) {
            LimitStorage::None => Vec::new(),
            LimitStorage::Bucket(one) => vec![one.to_usage()],
            LimitStorage::Many(many) => many,
            LimitStorage::WithRestrictions(parts) => return *parts,
        };
        SubjectParts { list, restrictions: Restrictions::default() }
    }

    /// Keeps the parts, in their smallest form.
    pub(crate) fn set_parts(&mut self, mut parts: SubjectParts) {
        let list = &mut parts.list;
        if list.capacity() > list.len() * 2 {
            list.shrink_to_fit();
        }
        self.0 = match &list[..] {
            _ if !parts.restrictions.is_empty() => LimitStorage::WithRestrictions(Box::new(parts)),
            [] => LimitStorage::None,
            [LimitUsage { name: None, rule, usage: Usage::Bucket(bucket) }] => {
                LimitStorage::Bucket(PackedBucket::new(bucket, rule))
            }
            _ => LimitStorage::Many(parts.list),
        };
    }

    /// The one limit that the subject holds and `take` is of, without taking the list apart.
    pub(crate) fn charge_in_place(&mut self, take: &Charge, now: UnixMs) -> bool {
        let bucket = take.name.is_none() && matches!(take.rule.kind, LimitKind::Bucket { .. });
        match &mut self.0 {
            LimitStorage::None if bucket => {
                let mut fresh = TokenBucket::default();
                fresh.take(&take.rule, take.cost, now);
                self.0 = LimitStorage::Bucket(PackedBucket::new(&fresh, &take.rule));
                true
            }
            LimitStorage::Bucket(one) if bucket && one.is_of(&take.rule) => {
                let mut bucket = one.bucket();
                bucket.take(&take.rule, take.cost, now);
                one.set(&bucket);
                true
            }
            LimitStorage::Many(many) => match &mut many[..] {
                [one] if one.limit().shares_counter(&take.limit()) => {
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

fn find_in<'l>(list: &'l [LimitUsage], limit: &Limit<'_>) -> Option<&'l LimitUsage> {
    list.iter().find(|held| held.limit().shares_counter(limit))
}

#[cfg(test)]
#[path = "../tests/subject.rs"]
mod tests;
