//! Applies an effect. Never fails, and never decides again.

pub(crate) mod correct;
pub(crate) mod settle;

use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::effect::{CounterKey, Effect, NewHold};
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::{Hold, HoldCharge};
use crate::domain::ratelimit::state::leases::Lease;
use crate::domain::ratelimit::state::restrictions::Restrictions;
use crate::domain::ratelimit::state::subject::{Subject, SubjectParts};
use crate::domain::ratelimit::state::usage::LimitUsage;
use crate::domain::time::UnixMs;

pub fn apply(subject: &mut Subject, effect: Effect) {
    if let Effect::Taken { now, charges, hold: None } = &effect
        && let [charge] = charges.as_slice()
        && subject.charge_in_place(charge, *now)
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
            let is_shadow = hold.as_ref().is_some_and(|hold| hold.is_shadow);
            for charge in charges.as_slice() {
                if is_shadow || charge.cost == 0 {
                    keep_limit(parts, charge, now);
                    continue;
                }
                settle::drain(parts, &charge.limit(), now);
                settle::detach_holds(parts, &charge.limit(), now);
                correct::add_charge(parts, charge, charges.as_slice().len(), now);
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
        Effect::Corrected { now, at, charges, cost } => {
            parts.purge(now);
            charges
                .as_slice()
                .iter()
                .for_each(|charge| correct::correct_charge(parts, charge, cost, at, now));
            parts.purge(now);
        }
        Effect::Reset { counters } => reset(parts, &counters),
        Effect::Rebased { now, spans } => parts.rebase(now, &spans),
        Effect::Cleared => *parts = SubjectParts::default(),
        Effect::Acquired { now, holder, until, token } => {
            parts.purge(now);
            parts.restrictions.leases.hold(&holder, Lease { end: until, at: now, token });
        }
        Effect::Released { now, holder } => {
            parts.purge(now);
            parts.restrictions.leases.release(&holder);
        }
    }
}

/// Keeps a limit that a hold charges nothing, so that SETTLE can charge it.
fn keep_limit(parts: &mut SubjectParts, charge: &Charge, now: UnixMs) {
    let list = &mut parts.list;
    let found = list.binary_search_by(|held| held.limit().cmp_key(&charge.limit()));
    if let Err(at) = found
        && list.len() < MAX_LIMITS
    {
        let mut held = LimitUsage::unused(charge.name.clone(), charge.rule);
        if charge.rule.kind.has_periods() {
            held.take(&charge.rule, charge.span, 0, now);
        }
        list.insert(at, held);
    }
}

fn opened(hold: NewHold, charges: OneOrMany<Charge>, now: UnixMs) -> Hold {
    let charge = |charge: Charge| HoldCharge {
        asked: hold.asked.unwrap_or(charge.cost),
        taken: if hold.is_shadow { 0 } else { charge.cost },
        cost: if hold.is_shadow { 0 } else { charge.cost },
        counted: true,
        refundable: if hold.is_shadow { 0 } else { settle::units(&charge.rule, charge.cost) },
        name: charge.name,
        rule: charge.rule,
    };
    let (upto, charges) = (hold.asked.is_some(), charges.into_iter().map(charge).collect());
    Hold { id: hold.id, at: now, until: hold.until, upto, charges }
}

fn reset(parts: &mut SubjectParts, counters: &[CounterKey]) {
    let SubjectParts { list, restrictions: Restrictions { holds, .. } } = parts;
    list.retain(|held| !counters.iter().any(|counter| counter.matches(&held.limit())));
    holds.remove_limits(|limit| counters.iter().any(|counter| counter.matches(limit)));
}
