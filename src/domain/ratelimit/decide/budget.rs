//! What several takers may take of a subject in one step: the jobs of a POP, one after the other.

use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::ratelimit::charge::{Charge, ChargedLimit, TakenLimits};
use crate::domain::ratelimit::decide::check;
use crate::domain::ratelimit::decide::request::{CheckRequest, RequestedLimit};
use crate::domain::ratelimit::effect::Effect;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// What is left of the limits of a call, and what was taken of it. Nothing is charged before
/// [`Budget::effect`] is applied.
#[derive(Debug)]
pub struct Budget<'a, 's> {
    state: Option<&'s Subject>,
    request: &'a CheckRequest<'a>,
    now: UnixMs,
    /// In the order of the limits.
    rooms: OneOrMany<Room>,
    is_locked: bool,
}

/// What a limit has room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    capacity: u64,
    left: u64,
    taken: u64,
}

impl Room {
    /// What a cost takes of the limit. One that exceeds the capacity takes all of it: else it could
    /// never be taken. `None` where the limit admits nothing, ever.
    fn charged(&self, cost: u64) -> Option<u64> {
        (self.capacity > 0 || cost == 0).then(|| cost.min(self.capacity))
    }

    fn fits(&self, cost: u64) -> bool {
        // No charge is larger, also of a limit without an end.
        let fits = |charged| charged <= self.left && self.taken + charged <= MAX_COUNT;
        self.charged(cost).is_some_and(|charged| charged == 0 || fits(charged))
    }
}

impl<'a, 's> Budget<'a, 's> {
    /// Returns `ERR` for limits that the key could not hold.
    pub fn of(
        state: Option<&'s Subject>,
        request: &'a CheckRequest<'a>,
        now: UnixMs,
    ) -> Result<Self, Refusal> {
        check::refuse_too_many(state, request, now)?;
        let rooms = OneOrMany::map_slice(request.items(), |item| {
            let row = check::evaluate_row(state, item, now);
            Room { capacity: row.capacity, left: row.remaining, taken: 0 }
        });
        let is_locked = state.and_then(|subject| subject.lock(now)).is_some();
        Ok(Budget { state, request, now, rooms, is_locked })
    }

    /// Takes `cost` of every limit, or nothing. Returns whether it did.
    pub fn try_take(&mut self, cost: u64) -> bool {
        if self.is_locked || !self.rooms.as_slice().iter().all(|room| room.fits(cost)) {
            return false;
        }
        for room in self.rooms.as_mut_slice() {
            let charged = room.charged(cost).unwrap_or(0);
            room.left -= charged;
            room.taken += charged;
        }
        true
    }

    /// When `cost` fits if nobody else takes anything; `None` if it never does.
    pub fn admits_at(&self, cost: u64) -> Option<UnixMs> {
        let mut wait =
            self.state.and_then(|subject| subject.lock(self.now)).map_or(0, |lock| lock.until - self.now);
        for (item, room) in self.request.items().iter().zip(self.rooms.as_slice()) {
            let item = RequestedLimit { limit: item.limit, cost: room.charged(cost)? };
            let retry = check::evaluate_row(self.state, &item, self.now).retry_after_ms;
            wait = wait.max(u64::try_from(retry).ok()?);
        }
        Some(self.now.saturating_add(wait))
    }

    /// The limits and their periods, from which follows what each cost is charged.
    pub fn limits(&self) -> TakenLimits {
        let limit = |item: &RequestedLimit<'_>| {
            let Charge { name, rule, span, .. } = check::charge_for(self.state, item, self.now);
            ChargedLimit { name, rule, span }
        };
        TakenLimits { at: self.now, limits: OneOrMany::map_slice(self.request.items(), limit) }
    }

    /// Charges all that was taken, if anything was.
    pub fn effect(&self) -> Option<Effect> {
        let taken = self.request.items().iter().zip(self.rooms.as_slice()).filter(|(_, room)| room.taken > 0);
        let charges: OneOrMany<Charge> = taken
            .map(|(item, room)| {
                let item = RequestedLimit { limit: item.limit, cost: room.taken };
                check::charge_for(self.state, &item, self.now)
            })
            .collect();
        (!charges.as_slice().is_empty()).then_some(Effect::Taken { now: self.now, charges, hold: None })
    }
}

#[cfg(test)]
#[path = "../tests/budget.rs"]
mod tests;
