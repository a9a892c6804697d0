//! Charges a limit, and corrects a charge of which no hold has kept track: that of a POP for a job.

use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::algorithm::fixed_period::FixedPeriod;
use crate::domain::ratelimit::apply::settle::{drain, units};
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::limit::rule::LimitKind;
use crate::domain::ratelimit::limit::span::Span;
use crate::domain::ratelimit::state::subject::SubjectParts;
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;

pub(crate) fn add_charge(parts: &mut SubjectParts, charge: &Charge, together: usize, now: UnixMs) {
    let list = &mut parts.list;
    match list.binary_search_by(|held| held.limit().cmp_key(&charge.limit())) {
        Ok(at) => list[at].take(&charge.rule, charge.span, charge.cost, now),
        // The key holds 16 other limits only if the effect was decided on another state. The charge
        // is dropped then.
        Err(_) if list.len() == MAX_LIMITS => {}
        Err(at) => {
            let mut held = LimitUsage::unused(charge.name.clone(), charge.rule);
            held.take(&charge.rule, charge.span, charge.cost, now);
            list.reserve_exact(if list.is_empty() { together } else { 1 });
            list.insert(at, held);
        }
    }
}

/// Replaces a charge of `at` by `cost`.
///
/// A limit that has restarted or changed its kind meanwhile no longer contains the charge: nothing
/// is given back. A bucket gives back at most what surely has not drained. A bucket that has
/// drained, and is gone, owes what the true cost exceeds the charge by.
pub fn correct_charge(parts: &mut SubjectParts, charge: &Charge, cost: u64, at: UnixMs, now: UnixMs) {
    let limit = charge.limit();
    drain(parts, &limit, now);
    let more = cost.saturating_sub(charge.cost);
    let Some(held) = parts.find_mut(&limit) else {
        return charge_anew(parts, charge, more, at, now);
    };
    let rule = held.rule;
    let is_same_kind = std::mem::discriminant(&rule.kind) == std::mem::discriminant(&charge.rule.kind);
    match &mut held.usage {
        Usage::Window(window) if is_same_kind && (more > 0 || window.holds(at, charge.cost)) => {
            window.correct(at, charge.cost, cost, rule.period_ms, now);
        }
        Usage::Period(period) if is_same_kind && is_of_period(charge, period, now) => {
            period.correct(charge.cost, cost);
        }
        Usage::Bucket(bucket) if more > 0 => bucket.take(&rule, more, now),
        Usage::Bucket(bucket) if is_same_kind => {
            let back = charge.unexpired(at, now).min(charge.cost - cost);
            bucket.give_back(&rule, units(&rule, back), now);
        }
        Usage::Window(_) | Usage::Period(_) | Usage::Bucket(_) => {}
    }
}

/// Whether the period that runs contains the charge. One of nothing is in any.
fn is_of_period(charge: &Charge, period: &FixedPeriod, now: UnixMs) -> bool {
    let is_same = |span: Span| span.start == period.span.start || (charge.cost == 0 && now < span.end);
    charge.span.is_some_and(is_same)
}

/// Charges `more` to a limit that the subject does not hold. A call that cost nothing has left
/// nothing there; what another one was charged has expired, or was reset. A bucket may be full.
fn charge_anew(parts: &mut SubjectParts, charge: &Charge, more: u64, at: UnixMs, now: UnixMs) {
    let is_lost = charge.cost > 0;
    let time = match charge.rule.kind {
        LimitKind::Bucket { .. } => Some(now),
        LimitKind::Window => Some(at).filter(|at| !is_lost && now - at < charge.rule.period_ms),
        LimitKind::Fixed | LimitKind::Calendar(_) => {
            Some(now).filter(|now| !is_lost && charge.span.is_some_and(|span| *now < span.end))
        }
    };
    if let Some(time) = time.filter(|_| more > 0) {
        add_charge(parts, &Charge { cost: more, ..charge.clone() }, 1, time);
    }
}
