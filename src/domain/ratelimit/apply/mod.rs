//! Applying an effect: total, and never judging again.

pub(crate) mod settle;

use crate::domain::ratelimit::MOST_LIMITS;
use crate::domain::ratelimit::charge::Take;
use crate::domain::ratelimit::effect::{Counter, Effect, NewHold};
use crate::domain::ratelimit::one_or_many::Few;
use crate::domain::ratelimit::state::extras::Extras;
use crate::domain::ratelimit::state::holds::{Charge, Hold};
use crate::domain::ratelimit::state::subject::{Parts, Subject};
use crate::domain::ratelimit::state::usage::Held;
use crate::domain::time::UnixMs;

pub fn apply(subject: &mut Subject, effect: Effect) {
    if let Effect::Taken { now, takes, hold: None } = &effect
        && let [take] = takes.as_slice()
        && subject.take_alone(take, *now)
    {
        return;
    }
    let mut parts = subject.parts();
    change(&mut parts, effect);
    subject.put(parts);
}

fn change(parts: &mut Parts, effect: Effect) {
    match effect {
        Effect::Taken { now, takes, hold } => {
            parts.purge(now);
            for take in takes.as_slice() {
                settle::drain(parts, &take.limit(), now);
                settle::part(parts, &take.limit(), now);
                take_one(parts, take, takes.as_slice().len(), now);
            }
            if let Some(hold) = hold {
                parts.extras.holds.add(opened(*hold, takes, now));
            }
        }
        Effect::Locked { lock, level } => {
            parts.purge(lock.from);
            parts.extras.lock = Some(lock);
            parts.extras.level = level.or(parts.extras.level);
        }
        Effect::Unlocked => (parts.extras.lock, parts.extras.level) = (None, None),
        Effect::Settled { now, id, costs } => {
            parts.purge(now);
            settle::settle(parts, &id, &costs, now);
        }
        Effect::Refunded { now, refunds } => {
            parts.purge(now);
            for refund in refunds.as_slice() {
                if let Some(held) = parts.find_mut(&refund.limit()) {
                    held.refund(&refund.rule, refund.cost, now);
                }
            }
            parts.purge(now);
        }
        Effect::Reset { counters } => reset(parts, &counters),
        Effect::Cleared => *parts = Parts::default(),
        Effect::Acquired { now, holder, until } => {
            parts.purge(now);
            parts.extras.leases.hold(&holder, until);
        }
        Effect::Released { now, holder } => {
            parts.purge(now);
            parts.extras.leases.release(&holder);
        }
    }
}

fn take_one(parts: &mut Parts, take: &Take, together: usize, now: UnixMs) {
    let list = &mut parts.list;
    match list.binary_search_by(|held| held.limit().order(&take.limit())) {
        Ok(at) => list[at].take(&take.rule, take.span, take.cost, now),
        // Only an effect that another state decided can find 16 others: it is left out.
        Err(_) if list.len() == MOST_LIMITS => {}
        Err(at) => {
            let mut held = Held::fresh(take.name.clone(), take.rule);
            held.take(&take.rule, take.span, take.cost, now);
            list.reserve_exact(if list.is_empty() { together } else { 1 });
            list.insert(at, held);
        }
    }
}

fn opened(hold: NewHold, takes: Few<Take>, now: UnixMs) -> Hold {
    let charge = |take: Take| Charge {
        asked: hold.asked.unwrap_or(take.cost),
        taken: take.cost,
        cost: take.cost,
        counted: true,
        owed: settle::units(&take.rule, take.cost),
        name: take.name,
        rule: take.rule,
    };
    let (upto, charges) = (hold.asked.is_some(), takes.into_iter().map(charge).collect());
    Hold { id: hold.id, at: now, until: hold.until, upto, charges }
}

fn reset(parts: &mut Parts, counters: &[Counter]) {
    let Parts { list, extras: Extras { holds, .. } } = parts;
    list.retain(|held| !counters.iter().any(|counter| counter.is(&held.limit())));
    holds.forget(|limit| counters.iter().any(|counter| counter.is(limit)));
}
