//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::codec::Corrupt;
use crate::domain::ratelimit::apply;
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::encoding::subject;
use crate::domain::ratelimit::state::extras::Extras;
use crate::domain::ratelimit::state::holds::Holds;
use crate::domain::ratelimit::state::leases::Leases;
use crate::domain::ratelimit::state::subject::{Limits, Parts, Subject};
use crate::domain::ratelimit::state::usage::Held;
use crate::domain::value::{Lifetime, Value};

impl Value for Subject {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        apply::apply(self, effect);
    }

    /// Until every limit is full again and nothing else is left. What lies beyond the signed 64-bit milliseconds that the server
    /// keeps ends there.
    fn lifetime(&self) -> Lifetime {
        if let Limits::Bucket(one) = &self.0 {
            return Lifetime::Until(one.bucket().full_at().min(i64::MAX as u64));
        }
        let mut until = self.extras().and_then(Extras::last_end);
        self.each(|_, held| until = until.max(Some(held.full_at())));
        until.map_or(Lifetime::Over, |until| Lifetime::Until(until.min(i64::MAX as u64)))
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        subject::save(self, emit);
    }

    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        if encoding != Self::ENCODING {
            return Err(Corrupt);
        }
        let mut parts = self.parts();
        let loaded = subject::load(&mut parts, block);
        self.put(parts);
        loaded
    }

    fn memory(&self) -> usize {
        let of_list = |list: &Vec<Held>| {
            list.capacity() * size_of::<Held>() + list.iter().map(Held::heap).sum::<usize>()
        };
        let held = match &self.0 {
            Limits::None | Limits::Bucket(_) => 0,
            Limits::Many(many) => of_list(many),
            Limits::Rich(parts) => size_of::<Parts>() + of_list(&parts.list) + parts.extras.heap(),
        };
        size_of::<Self>() + held
    }

    fn free_effort(&self) -> usize {
        match &self.0 {
            Limits::None | Limits::Bucket(_) => 1,
            Limits::Many(many) => 2 + 2 * many.len(),
            Limits::Rich(parts) => {
                let Parts { list, extras } = &**parts;
                3 + 2 * list.len() + 2 * extras.holds.len() + 2 * extras.leases.len()
            }
        }
    }

    /// Holds and leases stay with the original: what holds have charged stands in the copy.
    fn duplicate(&self) -> Self {
        let mut copy = self.clone();
        if copy.extras().is_some() {
            let mut parts = copy.parts();
            parts.extras.holds = Holds::default();
            parts.extras.leases = Leases::default();
            copy.put(parts);
        }
        copy
    }
}
