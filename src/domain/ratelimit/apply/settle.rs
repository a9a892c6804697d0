//! Corrects what a hold charged.
//!
//! A sliding window corrects the entry at its own time. A period corrects its use if it still runs.
//! A bucket has no entries: the charge drains with the rest of its debt, and only what has not
//! drained can be given back. Each charge of an open hold therefore keeps `refundable`: the part of
//! the debt that would be gone without the charge. It never grows. Each use of the bucket lowers it
//! to at most the debt at that time: if the bucket would have been empty without the charge,
//! nothing of the charge is left. So undoing the only hold of a bucket leaves it as if the call had
//! never been made. If several holds are open, they share the debt: the older ones drain first, so
//! that together they never give back more than the bucket owes.
//!
//! If SETTLE raises a cost, the difference is charged in full at the time of SETTLE. Whether part
//! of it would have drained since the call does not matter.

use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::state::holds::HoldCharge;
use crate::domain::ratelimit::state::subject::SubjectParts;
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;

/// Returns what `cost` adds to the debt of a bucket, in its units; 0 for other kinds.
pub fn units(rule: &Rule, cost: u64) -> u128 {
    match rule.kind {
        LimitKind::Bucket { .. } => u128::from(cost) * u128::from(rule.period_ms),
        _ => 0,
    }
}

/// Lowers `refundable` of the open holds to the debt of the bucket at `now`. Runs before each use.
pub fn drain(parts: &mut SubjectParts, limit: &Limit<'_>, now: UnixMs) {
    if parts.restrictions.holds.is_empty() {
        return;
    }
    let refundable = match parts.find_mut(limit) {
        Some(LimitUsage { rule, usage: Usage::Bucket(bucket), .. }) => Some((*rule, bucket.debt(rule, now))),
        _ => None,
    };
    // If the kind or the rate of the limit changes, the units do not compare: nothing is
    // refundable.
    let (rule, debt) = refundable.unwrap_or((limit.rule, 0));
    let rate = |rule: &Rule| (rule.count, rule.period_ms);
    let debt = if limit.name.is_some() && rate(&rule) != rate(&limit.rule) { 0 } else { debt };
    let all: u128 = parts.restrictions.holds.charges_to(*limit).map(|charge| charge.refundable).sum();
    let mut over = all.saturating_sub(debt);
    for charge in parts.restrictions.holds.charges_to(*limit) {
        let drained = charge.refundable.min(over);
        charge.refundable -= drained;
        over -= drained;
    }
}

/// Detaches open holds from a limit that is about to restart or to change its algorithm. The new
/// count does not contain their charge, so a later refund must not lower it.
pub fn detach_holds(parts: &mut SubjectParts, limit: &Limit<'_>, now: UnixMs) {
    if parts.restrictions.holds.is_empty() {
        return;
    }
    let Some(held) = parts.find_mut(limit) else { return };
    let kind = |rule: &Rule| std::mem::discriminant(&rule.kind);
    let anew = held.is_unused(now) || kind(&held.rule) != kind(&limit.rule);
    let left_until = match &held.usage {
        Usage::Window(window) => window.left_until(held.rule.period_ms, now),
        _ => None,
    };
    parts.restrictions.holds.for_each_charge_to(*limit, |at, charge| {
        let is_contained = !anew && left_until.is_none_or(|left| at > left);
        // Every count contains a charge of 0.
        charge.counted &= is_contained || charge.cost == 0;
    });
}

/// Sets the new cost of each charge of a hold.
pub fn settle(parts: &mut SubjectParts, id: &[u8], costs: &[u64], now: UnixMs) {
    let Some(hold) = parts.restrictions.holds.find_mut(id) else { return };
    let (at, charges) = (hold.at, hold.charges.as_slice().to_vec());
    for (index, (charge, &cost)) in charges.iter().zip(costs).enumerate() {
        let limit = match parts.find_mut(&charge.limit()) {
            Some(held) => Limit { name: charge.limit().name, rule: held.rule },
            None => charge.limit(),
        };
        drain(parts, &limit, now);
        let refundable = refundable_now(parts, id, index);
        let refundable = match parts.find_mut(&charge.limit()) {
            Some(held) => correct(held, charge, refundable, cost, at, now),
            None => 0,
        };
        if let Some(hold) = parts.restrictions.holds.find_mut(id) {
            let charge = &mut hold.charges.as_mut_slice()[index];
            (charge.cost, charge.refundable) = (cost, refundable);
        }
    }
}

fn refundable_now(parts: &mut SubjectParts, id: &[u8], index: usize) -> u128 {
    parts.restrictions.holds.find_mut(id).map_or(0, |hold| hold.charges.as_slice()[index].refundable)
}

/// Corrects the use of one limit. Returns what remains refundable of the charge.
fn correct(
    held: &mut LimitUsage,
    charge: &HoldCharge,
    refundable: u128,
    cost: u64,
    at: UnixMs,
    now: UnixMs,
) -> u128 {
    match &mut held.usage {
        Usage::Window(_) | Usage::Period(_) if !charge.counted => {}
        Usage::Window(window) => window.correct(at, charge.cost, cost, held.rule.period_ms, now),
        Usage::Period(period) if period.span.start <= at && at < period.span.end => {
            period.correct(charge.cost, cost);
        }
        Usage::Period(_) => {}
        Usage::Bucket(bucket) if cost > charge.cost => {
            let more = cost - charge.cost;
            bucket.take(&held.rule, more, now);
            return refundable + units(&held.rule, more);
        }
        Usage::Bucket(bucket) => {
            let back = refundable.min(units(&held.rule, charge.cost - cost));
            bucket.give_back(&held.rule, back, now);
            return (refundable - back).min(units(&held.rule, cost));
        }
    }
    0
}
