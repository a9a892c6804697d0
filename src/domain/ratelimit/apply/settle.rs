//! Correcting what a hold has charged.
//!
//! A window's entry is corrected at its own time, a period's use if the period still runs. A bucket has no
//! entries. What a call has taken of it drains with everything else, and only what has not drained yet can
//! be given back: with each charge of an open hold goes the part of the bucket's debt that would not be
//! there without it (`refundable`). It never grows, and whenever the bucket is used it falls to what the bucket
//! owes by then: had the bucket been full without the charge, nothing of it would be left. So undoing the
//! only hold of a bucket leaves it as if the call had never been. Where several are open, the debt is
//! shared: the older ones drain first, so that together they never give back more than is refundable.
//!
//! What was charged too little is charged in full when it is settled, whether or not some of it would have
//! drained since.

use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::state::holds::HoldCharge;
use crate::domain::ratelimit::state::subject::SubjectParts;
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;

/// What `cost` adds to the debt of a bucket, in its units; 0 for other kinds.
pub fn units(rule: &Rule, cost: u64) -> u128 {
    match rule.kind {
        LimitKind::Bucket { .. } => u128::from(cost) * u128::from(rule.period_ms),
        _ => 0,
    }
}

/// Lets what open holds could give back of a bucket drain until `now`, before it is used.
pub fn drain(parts: &mut SubjectParts, limit: &Limit<'_>, now: UnixMs) {
    if parts.restrictions.holds.is_empty() {
        return;
    }
    let refundable = match parts.find_mut(limit) {
        Some(LimitUsage { rule, usage: Usage::Bucket(bucket), .. }) => Some((*rule, bucket.debt(rule, now))),
        _ => None,
    };
    // Where another kind counts by now, or another rate will, the shares are not comparable: none is left.
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

/// SubjectParts open holds from what a call of `limit` will begin anew or count by another kind: what they charged is
/// not among it, and must not be given back by what others have taken.
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
        charge.counted &= !anew && left_until.is_none_or(|left| at > left);
    });
}

/// Gives each charge of a hold its new cost.
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

/// Corrects the use of one limit; what the charge could give back afterwards.
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
