//! Applies an effect. Never fails, and never decides again.

pub(crate) mod settle;

use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::effect::{CounterKey, Effect, NewHold};
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::{Hold, HoldCharge};
use crate::domain::ratelimit::state::restrictions::Restrictions;
use crate::domain::ratelimit::state::subject::{Subject, SubjectParts};
use crate::domain::ratelimit::state::usage::LimitUsage;
use crate::domain::time::UnixMs;

pub fn apply(subject: &mut Subject, effect: Effect) {
    if let Effect::Taken { now, charges, hold: None } = &effect
        && let [take] = charges.as_slice()
        && subject.charge_in_place(take, *now)
    {
        return;
    }
    let mut parts = subject.take_parts();
    change(&mut parts, effect);
    subject.set_parts(parts);
}

fn change(parts: &mut SubjectParts, effect: Effect) {
    match effect {
        Effect::Taken { now, charges, hold } => {
            parts.purge(now);
            for take in charges.as_slice() {
                settle::drain(parts, &take.limit(), now);
                settle::detach_holds(parts, &take.limit(), now);
                take_one(parts, take, charges.as_slice().len(), now);
            }
            if let Some(hold) = hold {
                parts.restrictions.holds.add(opened(*hold, charges, now));
            }
        }
        Effect::Locked { lock, level } => {
            parts.purge(lock.from);
            parts.restrictions.lock = Some(lock);
            parts.restrictions.level = level.or(parts.restrictions.level);
        }
        Effect::Unlocked => (parts.restrictions.lock, parts.restrictions.level) = (None, None),
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
        Effect::Cleared => *parts = SubjectParts::default(),
        Effect::Acquired { now, holder, until } => {
            parts.purge(now);
            parts.restrictions.leases.hold(&holder, until);
        }
        Effect::Released { now, holder } => {
            parts.purge(now);
            parts.restrictions.leases.release(&holder);
        }
    }
}

fn take_one(parts: &mut SubjectParts, take: &Charge, together: usize, now: UnixMs) {
    let list = &mut parts.list;
    match list.binary_search_by(|held| held.limit().cmp_key(&take.limit())) {
        Ok(at) => list[at].take(&take.rule, take.span, take.cost, now),
        // The key holds 16 other limits only if the effect was decided on another state. The charge
        // is dropped then.
        Err(_) if list.len() == MAX_LIMITS => {}
        Err(at) => {
            let mut held = LimitUsage::unused(take.name.clone(), take.rule);
            held.take(&take.rule, take.span, take.cost, now);
            list.reserve_exact(if list.is_empty() { together } else { 1 });
            list.insert(at, held);
        }
    }
}

fn opened(hold: NewHold, charges: OneOrMany<Charge>, now: UnixMs) -> Hold {
    let charge = |take: Charge| HoldCharge {
        asked: hold.asked.unwrap_or(take.cost),
        taken: take.cost,
        cost: take.cost,
        counted: true,
        refundable: settle::units(&take.rule, take.cost),
        name: take.name,
        rule: take.rule,
    };
    let (upto, charges) = (hold.asked.is_some(), charges.into_iter().map(charge).collect());
    Hold { id: hold.id, at: now, until: hold.until, upto, charges }
}

fn reset(parts: &mut SubjectParts, counters: &[CounterKey]) {
    let SubjectParts { list, restrictions: Restrictions { holds, .. } } = parts;
    list.retain(|held| !counters.iter().any(|counter| counter.matches(&held.limit())));
    holds.remove_limits(|limit| counters.iter().any(|counter| counter.matches(limit)));
}
