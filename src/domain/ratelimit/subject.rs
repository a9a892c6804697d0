//! All limits under one key.

use super::MOST_LIMITS;
use super::bucket::Bucket;
use super::effect::{Effect, Take};
use super::held::{Held, Usage};
use super::rule::{Kind, Rule};
use super::spec::Limit;
use super::stored;
use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

/// A subject: the limits of which something is taken. Full ones are dropped by the next change, so that
/// a subject takes memory for what is in use only.
#[derive(Debug, Clone, Default)]
pub struct Subject(Limits);

/// A subject with one unnamed bucket is 32 bytes in all, without a further allocation.
#[derive(Debug, Clone, Default)]
enum Limits {
    #[default]
    None,
    Bucket(Packed),
    /// In the order of [`Limit::order`], at most 16; never a single unnamed bucket.
    Many(Vec<Held>),
}

/// An unnamed bucket, byte by byte. Its rule never changes, so it does without [`Bucket::at`].
#[derive(Debug, Clone, Copy)]
struct Packed {
    low: [u8; 8],
    high: [u8; 2],
    part: [u8; 5],
    count: [u8; 5],
    period_ms: [u8; 5],
    burst: [u8; 5],
}

/// Five bytes hold whatever is at most 10^12.
fn packed(value: u64) -> [u8; 5] {
    let [a, b, c, d, e, ..] = value.to_le_bytes();
    [a, b, c, d, e]
}

fn unpacked([a, b, c, d, e]: [u8; 5]) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
}

impl Packed {
    fn new(bucket: &Bucket, rule: &Rule) -> Self {
        Packed {
            low: bucket.low.to_le_bytes(),
            high: bucket.high.to_le_bytes(),
            part: packed(bucket.part),
            count: packed(rule.count),
            period_ms: packed(rule.period_ms),
            burst: packed(rule.capacity()),
        }
    }

    fn rule(&self) -> Rule {
        let kind = Kind::Bucket { burst: unpacked(self.burst) };
        Rule { count: unpacked(self.count), period_ms: unpacked(self.period_ms), kind }
    }

    fn bucket(&self) -> Bucket {
        let (low, high) = (u64::from_le_bytes(self.low), u16::from_le_bytes(self.high));
        Bucket { low, high, part: unpacked(self.part), at: 0 }
    }

    fn held(&self) -> Held {
        Held { name: None, rule: self.rule(), usage: Usage::Bucket(self.bucket()) }
    }
}

impl Subject {
    /// Calls `with` on the use of `limit`, if the subject holds it.
    pub(super) fn find<R>(&self, limit: &Limit<'_>, with: impl FnOnce(&Held) -> R) -> Option<R> {
        match &self.0 {
            Limits::None => None,
            Limits::Bucket(one) => {
                let held = one.held();
                held.limit().same(limit).then(|| with(&held))
            }
            Limits::Many(many) => many.iter().find(|held| held.limit().same(limit)).map(with),
        }
    }

    /// Calls `each` on every limit, in their order, with the limit as it may be kept.
    pub(super) fn each<'a>(&'a self, mut each: impl FnMut(Limit<'a>, &Held)) {
        match &self.0 {
            Limits::None => {}
            Limits::Bucket(one) => each(Limit { name: None, rule: one.rule() }, &one.held()),
            Limits::Many(many) => many.iter().for_each(|held| each(held.limit(), held)),
        }
    }

    /// How many limits are kept, full ones included.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Limits::None => 0,
            Limits::Bucket(_) => 1,
            Limits::Many(many) => many.len(),
        }
    }

    /// The highest number of limits that could be held once those of `asked` are: those in use at `now`
    /// that are not among them, and them.
    pub(super) fn held_with<'a>(
        &self,
        asked: impl Iterator<Item = &'a Limit<'a>> + Clone,
        now: UnixMs,
    ) -> usize {
        let mut others = 0;
        self.each(|limit, held| {
            others += usize::from(!held.is_full(now) && !asked.clone().any(|ask| ask.same(&limit)));
        });
        others + asked.count()
    }

    /// Takes the list out; [`Subject::put`] puts it back.
    pub(super) fn list(&mut self) -> Vec<Held> {
        match std::mem::take(&mut self.0) {
            Limits::None => Vec::new(),
            Limits::Bucket(one) => vec![one.held()],
            Limits::Many(many) => many,
        }
    }

    /// Keeps a list, in its smallest form.
    pub(super) fn put(&mut self, mut list: Vec<Held>) {
        if list.capacity() > list.len() * 2 {
            list.shrink_to_fit();
        }
        self.0 = match &list[..] {
            [] => Limits::None,
            [Held { name: None, rule, usage: Usage::Bucket(bucket) }] => {
                Limits::Bucket(Packed::new(bucket, rule))
            }
            _ => Limits::Many(list),
        };
    }

    /// The one limit that the subject holds and `take` is of, without taking the list apart.
    fn take_alone(&mut self, take: &Take, now: UnixMs) -> bool {
        let bucket = take.name.is_none() && matches!(take.rule.kind, Kind::Bucket { .. });
        match &mut self.0 {
            Limits::None if bucket => {
                let mut fresh = Bucket::default();
                fresh.take(&take.rule, take.cost, now);
                self.0 = Limits::Bucket(Packed::new(&fresh, &take.rule));
                true
            }
            Limits::Bucket(one) if bucket && one.rule() == take.rule => {
                let mut bucket = one.bucket();
                bucket.take(&take.rule, take.cost, now);
                *one = Packed::new(&bucket, &take.rule);
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

impl Value for Subject {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        let Effect::Taken { now, takes } = effect;
        if let [take] = takes.as_slice()
            && self.take_alone(take, now)
        {
            return;
        }
        let mut list = self.list();
        list.retain(|held| !held.is_full(now));
        for take in takes.as_slice() {
            match list.binary_search_by(|held| held.limit().order(&take.limit())) {
                Ok(at) => list[at].take(&take.rule, take.span, take.cost, now),
                // Only an effect that another state decided can find 16 others: it is left out.
                Err(_) if list.len() == MOST_LIMITS => {}
                Err(at) => {
                    let mut held = Held::fresh(take.name.clone(), take.rule);
                    held.take(&take.rule, take.span, take.cost, now);
                    list.reserve_exact(if list.is_empty() { takes.as_slice().len() } else { 1 });
                    list.insert(at, held);
                }
            }
        }
        self.put(list);
    }

    /// Until every limit is full again. What lies beyond the signed 64-bit milliseconds that the server
    /// keeps ends there.
    fn lifetime(&self) -> Lifetime {
        let mut until = None;
        self.each(|_, held| until = until.max(Some(held.full_at())));
        until.map_or(Lifetime::Over, |until| Lifetime::Until(until.min(i64::MAX as u64)))
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        stored::save(self, emit);
    }

    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if encoding != Self::ENCODING {
            return Err(Corrupt);
        }
        let mut list = self.list();
        let loaded = stored::load(&mut list, block);
        self.put(list);
        loaded
    }

    fn memory(&self) -> usize {
        let held = match &self.0 {
            Limits::None | Limits::Bucket(_) => 0,
            Limits::Many(many) => {
                many.capacity() * size_of::<Held>() + many.iter().map(Held::heap).sum::<usize>()
            }
        };
        size_of::<Self>() + held
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            Limits::None | Limits::Bucket(_) => 1,
            Limits::Many(many) => 2 + 2 * many.len(),
        }
    }

    fn duplicate(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
