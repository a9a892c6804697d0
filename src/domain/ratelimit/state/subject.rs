//! The value under a key: all of its limits.

use crate::domain::ratelimit::algorithm::token_bucket::TokenBucket;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::state::lockout::Lock;
use crate::domain::ratelimit::state::packed_bucket::PackedBucket;
use crate::domain::ratelimit::state::restrictions::Restrictions;
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;
use crate::domain::value::Value;

/// A subject: its limits in use. The next change drops unused limits, so that only limits in use
/// take memory.
#[derive(Debug, Clone, Default)]
pub struct Subject(pub(crate) LimitStorage);

/// How the limits are kept. A subject with one unnamed bucket takes 32 bytes and no further
/// allocation.
#[derive(Debug, Clone, Default)]
pub(crate) enum LimitStorage {
    #[default]
    None,
    Bucket(PackedBucket),
    /// In the order of [`Limit::cmp_key`], at most 16. Never a single unnamed bucket that owes at
    /// most its capacity.
    Many(Vec<LimitUsage>),
    /// Limits and restrictions.
    WithRestrictions(Box<SubjectParts>),
}

/// All that a subject holds, in a form that can be changed.
#[derive(Debug, Clone, Default)]
pub struct SubjectParts {
    /// In the order of [`Limit::cmp_key`], at most 16.
    pub list: Vec<LimitUsage>,
    pub restrictions: Restrictions,
}

impl SubjectParts {
    /// Drops expired restrictions and unused limits. Keeps an unused limit that an open hold
    /// charges.
    pub fn purge(&mut self, now: UnixMs) {
        let SubjectParts { list, restrictions } = self;
        restrictions.purge(now);
        list.retain(|held| !held.is_unused(now) || restrictions.holds.is_charged(&held.limit()));
    }

    /// Moves what lies in the future to `now`. `spans` are the periods for calendar limits that
    /// move.
    pub fn rebase(&mut self, now: UnixMs, spans: &[Span]) {
        let mut spans = spans.iter().copied();
        for held in self.list.iter_mut().filter(|held| held.is_ahead(now)) {
            let is_calendar = matches!(held.rule.kind, LimitKind::Calendar(_));
            held.rebase(if is_calendar { spans.next() } else { None }, now);
        }
        self.restrictions.rebase(now);
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

    /// Whether the clock was set back since the last change: something lies in the future.
    #[inline]
    pub(crate) fn is_ahead(&self, now: UnixMs) -> bool {
        match &self.0 {
            LimitStorage::None => false,
            LimitStorage::Bucket(one) => one.is_ahead(now),
            LimitStorage::Many(many) => many.iter().any(|held| held.is_ahead(now)),
            LimitStorage::WithRestrictions(parts) => {
                parts.list.iter().any(|held| held.is_ahead(now)) || parts.restrictions.is_ahead(now)
            }
        }
    }

    /// The effect that moves what lies in the future to `now`, so that no wait is longer than its
    /// own period.
    #[cold]
    pub(crate) fn rebase_effect(&self, now: UnixMs) -> Effect {
        let mut spans = Vec::new();
        self.for_each_limit(|_, held| spans.extend(held.calendar_span(now)));
        Effect::Rebased { now, spans }
    }

    /// The state that a read at `now` has to see, where that differs from the kept one: the clock
    /// was set back. Writes apply [`Subject::rebase_effect`] first.
    #[inline]
    pub fn rebased(state: Option<&Self>, now: UnixMs) -> Option<Self> {
        let ahead = state.filter(|subject| subject.is_ahead(now))?;
        let mut copy = ahead.clone();
        copy.apply(ahead.rebase_effect(now));
        Some(copy)
    }

    /// Returns the restrictions, if there are any.
    pub(crate) fn restrictions(&self) -> Option<&Restrictions> {
        match &self.0 {
            LimitStorage::WithRestrictions(parts) => Some(&parts.restrictions),
            _ => None,
        }
    }

    /// Returns the lock in force at `now`.
    pub(crate) fn lock(&self, now: UnixMs) -> Option<Lock> {
        self.restrictions()?.lock.filter(|lock| lock.until > now)
    }

    /// Calls `each` for every limit in their order, with its name and last rule.
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

    /// Returns the number of kept limits, including unused ones.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            LimitStorage::None => 0,
            LimitStorage::Bucket(_) => 1,
            LimitStorage::Many(many) => many.len(),
            LimitStorage::WithRestrictions(parts) => parts.list.len(),
        }
    }

    /// Returns how many limits the key would hold after a call for `asked`: the limits in use at
    /// `now` and those of the call.
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

    /// Takes everything out. [`Subject::set_parts`] puts it back.
    pub(crate) fn take_parts(&mut self) -> SubjectParts {
        let list = match std::mem::take(&mut self.0) {
            LimitStorage::None => Vec::new(),
            LimitStorage::Bucket(one) => vec![one.to_usage()],
            LimitStorage::Many(many) => many,
            LimitStorage::WithRestrictions(parts) => return *parts,
        };
        SubjectParts { list, restrictions: Restrictions::default() }
    }

    /// Stores the parts in their smallest form.
    pub(crate) fn set_parts(&mut self, mut parts: SubjectParts) {
        let list = &mut parts.list;
        for held in list.iter_mut().filter(|held| held.name.is_none()) {
            if let Usage::Bucket(bucket) = &mut held.usage {
                bucket.forget_time(&held.rule);
            }
        }
        if list.capacity() > list.len() * 2 {
            list.shrink_to_fit();
        }
        self.0 = match &list[..] {
            _ if !parts.restrictions.is_empty() => LimitStorage::WithRestrictions(Box::new(parts)),
            [] => LimitStorage::None,
            [LimitUsage { name: None, rule, usage: Usage::Bucket(bucket) }] if bucket.at == 0 => {
                LimitStorage::Bucket(PackedBucket::new(bucket, rule))
            }
            _ => LimitStorage::Many(parts.list),
        };
    }

    /// Charges the only limit of the subject in place. Returns false if the charge is for another
    /// limit.
    pub(crate) fn charge_in_place(&mut self, charge: &Charge, now: UnixMs) -> bool {
        let bucket = charge.name.is_none() && matches!(charge.rule.kind, LimitKind::Bucket { .. });
        match &mut self.0 {
            LimitStorage::None if bucket => {
                let mut fresh = TokenBucket::default();
                fresh.take(&charge.rule, charge.cost, now);
                self.0 = LimitStorage::Bucket(PackedBucket::new(&fresh, &charge.rule));
                true
            }
            LimitStorage::Bucket(one) if bucket && one.is_of(&charge.rule) => {
                let mut bucket = one.bucket();
                bucket.take(&charge.rule, charge.cost, now);
                one.set(&bucket);
                true
            }
            LimitStorage::Many(many) => match &mut many[..] {
                [one] if one.limit().shares_counter(&charge.limit()) && !bucket => {
                    one.take(&charge.rule, charge.span, charge.cost, now);
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
