//! What the runtime needs of the family: apply, lifetime, saved form.

use crate::domain::codec::Corrupt;
use crate::domain::ratelimit::apply;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::encoding::subject;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::state::holds::Holds;
use crate::domain::ratelimit::state::leases::Leases;
use crate::domain::ratelimit::state::restrictions::Restrictions;
use crate::domain::ratelimit::state::subject::{LimitStorage, Subject, SubjectParts};
use crate::domain::ratelimit::state::usage::LimitUsage;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

impl Value for Subject {
    type Effect = Effect;

    /// 1 had neither tokens of places nor the times of unnamed buckets; 3 shortened the tokens.
    const ENCODING: u32 = 3;

    /// A new subject, a limit that the subject does not hold yet, a hold, a place. A lock is let
    /// through.
    fn adds(subject: Option<&Self>, effect: &Effect) -> bool {
        match effect {
            Effect::Taken { charges, hold, .. } => {
                let holds = |limit: &Limit<'_>| subject.and_then(|held| held.find(limit, |_| ())).is_some();
                hold.is_some() || !charges.as_slice().iter().all(|charge| holds(&charge.limit()))
            }
            Effect::Acquired { now, holder, .. } => {
                let restrictions = subject.and_then(Subject::restrictions);
                restrictions.is_none_or(|held| held.leases.live(holder, *now).is_none())
            }
            Effect::Locked { .. }
            | Effect::Unlocked
            | Effect::Settled { .. }
            | Effect::Refunded { .. }
            | Effect::Corrected { .. }
            | Effect::Reset { .. }
            | Effect::Rebased { .. }
            | Effect::Cleared
            | Effect::Released { .. } => false,
        }
    }

    fn apply(&mut self, effect: Effect) {
        apply::apply(self, effect);
    }

    /// The clock was set back since the last change.
    #[inline]
    fn overdue(&self, now: UnixMs) -> Option<Effect> {
        self.is_ahead(now).then(|| self.rebase_effect(now))
    }

    /// The subject lives until all limits are unused and all restrictions have expired. The server
    /// keeps signed 64-bit milliseconds, so a later end is cut to their maximum.
    fn lifetime(&self) -> Lifetime {
        if let LimitStorage::Bucket(one) = &self.0 {
            return Lifetime::Until(one.bucket().unused_at().min(i64::MAX as u64));
        }
        let mut until = self.restrictions().and_then(Restrictions::last_end);
        self.for_each_limit(|_, held| until = until.max(Some(held.unused_at())));
        until.map_or(Lifetime::Over, |until| Lifetime::Until(until.min(i64::MAX as u64)))
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        subject::save(self, emit);
    }

    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if !(1..=Self::ENCODING).contains(&encoding) {
            return Err(Corrupt);
        }
        let mut parts = self.take_parts();
        let loaded = subject::load(&mut parts, encoding, block);
        self.set_parts(parts);
        loaded
    }

    fn memory(&self) -> usize {
        let of_list = |list: &Vec<LimitUsage>| {
            list.capacity() * size_of::<LimitUsage>() + list.iter().map(LimitUsage::heap_bytes).sum::<usize>()
        };
        let held = match &self.0 {
            LimitStorage::None | LimitStorage::Bucket(_) => 0,
            LimitStorage::Many(many) => of_list(many),
            LimitStorage::WithRestrictions(parts) => {
                size_of::<SubjectParts>() + of_list(&parts.list) + parts.restrictions.heap_bytes()
            }
        };
        size_of::<Self>() + held
    }

    fn highest_token(&self) -> u64 {
        self.restrictions().map_or(0, |restrictions| restrictions.leases.highest_token())
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            LimitStorage::None | LimitStorage::Bucket(_) => 1,
            LimitStorage::Many(many) => 2 + 2 * many.len(),
            LimitStorage::WithRestrictions(parts) => {
                let SubjectParts { list, restrictions } = &**parts;
                3 + 2 * list.len() + 2 * restrictions.holds.len() + 2 * restrictions.leases.len()
            }
        }
    }

    /// Holds and leases stay with the original. The copy keeps the charges of the holds.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        if copy.restrictions().is_some() {
            let mut parts = copy.take_parts();
            parts.restrictions.holds = Holds::default();
            parts.restrictions.leases = Leases::default();
            copy.set_parts(parts);
        }
        copy
    }
}
