//! Decides REFUND, SETTLE and RESET: commands that lower or correct use.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::decide::check;
use crate::domain::ratelimit::decide::request::CheckRequest;
use crate::domain::ratelimit::decide::verdict::{CheckVerdict, LimitRow};
use crate::domain::ratelimit::effect::{CounterKey, Effect};
use crate::domain::ratelimit::limit::cost;
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::Hold;
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// Decides RATELIMIT.REFUND: gives back the cost of each limit, at most what is used. A cost of 0
/// gives back nothing. Like CHECK, returns `ERR` for limits that the key could not hold.
pub fn decide_refund(
    state: Option<&Subject>,
    request: &CheckRequest<'_>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    check::refuse_too_many(state, request, now)?;
    let items = request.items().iter().map(|item| (item.limit, item.cost));
    Ok(give_back(state, items, now))
}

/// Decides on giving back what a CHECK took at `at` whose client has gone: as REFUND does, but
/// nothing that has expired by now, so that no later call is undone in its place.
pub fn decide_give_back(
    state: Option<&Subject>,
    taken: &[Charge],
    at: UnixMs,
    now: UnixMs,
) -> Decision<(), Effect> {
    // A key that was deleted or reset meanwhile has another period: what was taken went with the
    // first one.
    let is_of_period = |charge: &&Charge| {
        let held = state.and_then(|state| state.find(&charge.limit(), |held| held.span(&charge.rule, now)));
        charge.span.is_none() || held.flatten() == charge.span
    };
    let charges = taken.iter().filter(is_of_period);
    give_back(state, charges.map(|charge| (charge.limit(), charge.unexpired(at, now))), now)
}

fn give_back<'a>(
    state: Option<&Subject>,
    costs: impl Iterator<Item = (Limit<'a>, u64)>,
    now: UnixMs,
) -> Decision<(), Effect> {
    let in_use = |limit: &Limit<'_>| {
        state.and_then(|subject| subject.find(limit, |held| !held.is_unused(now))).unwrap_or(false)
    };
    let refund = |(limit, cost): (Limit<'a>, u64)| Charge {
        name: limit.name.and_then(LimitName::new),
        rule: limit.rule,
        span: None,
        cost,
    };
    let refunds: Vec<Charge> = costs.filter(|(limit, cost)| *cost > 0 && in_use(limit)).map(refund).collect();
    match refunds.is_empty() {
        true => Decision::answer(()),
        false => Decision::change((), Effect::Refunded { now, refunds: refunds.into_iter().collect() }),
    }
}

/// Decides on the true cost of what a POP charged for a job at `at`: `cost` in the place of each
/// charge. Unlike SETTLE it needs no hold, so it corrects only what surely still counts.
pub fn decide_correct(charges: OneOrMany<Charge>, cost: u64, at: UnixMs, now: UnixMs) -> Option<Effect> {
    let differ = charges.as_slice().iter().any(|charge| charge.cost != cost);
    differ.then_some(Effect::Corrected { now: now.max(at), at, charges, cost })
}

/// Decides RATELIMIT.SETTLE: replaces the charges of a hold by the actual costs. Returns `NOHOLD`
/// if no hold with this id is open; its charge is final then.
pub fn decide_settle(
    state: Option<&Subject>,
    id: &[u8],
    costs: &[u8],
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let hold = find_open_hold(state, id, now)?;
    let charges = hold.charges.as_slice();
    let mut settled: Vec<u64> = charges.iter().map(|charge| charge.cost).collect();
    if cost::is_by_name(costs) {
        let limits = charges.iter().map(|charge| charge.limit());
        cost::by_name(costs, "hold", limits, |at, cost| settled[at] = cost)?;
    } else {
        settled.fill(cost::for_all(costs)?);
    }
    if charges.iter().zip(&settled).all(|(charge, cost)| charge.cost == *cost) {
        return Ok(Decision::answer(()));
    }
    Ok(Decision::change((), Effect::Settled { now, id: id.into(), costs: settled }))
}

/// Returns a row in its present state for each limit that a hold charges.
pub fn hold_rows<'s>(
    state: Option<&'s Subject>,
    id: &[u8],
    now: UnixMs,
) -> Result<CheckVerdict<'s>, Refusal> {
    let hold = find_open_hold(state, id, now)?;
    let rows = hold.charges.as_slice().iter().filter_map(|charge| {
        let limit = charge.limit();
        state?.find(&limit, |held| check::build_row(held, limit, 1, now))
    });
    Ok(CheckVerdict::new(rows.collect::<Vec<LimitRow<'s>>>().into_iter().collect()))
}

fn find_open_hold<'s>(state: Option<&'s Subject>, id: &[u8], now: UnixMs) -> Result<&'s Hold, Refusal> {
    let hold =
        state.and_then(Subject::restrictions).and_then(|restrictions| restrictions.holds.open(id, now));
    hold.ok_or_else(|| {
        let text = format!("no open hold '{}'; its charge is final", shown(id));
        Refusal::new(Code::NoHold, text)
    })
}

/// Parses an argument of RESET: a name, or the spec of an unnamed limit.
pub fn parse_counter(text: &[u8]) -> Result<CounterKey, Refusal> {
    if let Some(name) = LimitName::new(text) {
        return Ok(CounterKey::Named(name));
    }
    Rule::parse(text).map(CounterKey::Unnamed).map_err(|_| {
        let given = shown(text);
        Refusal::err(format!(
            "'{given}': expected the name of a limit, or the spec of an unnamed one such as 10/1m"
        ))
    })
}

/// Decides RATELIMIT.RESET: forgets these limits, or everything if none is given. Replies with the
/// number of limits in use that it forgot.
pub fn decide_reset(state: Option<&Subject>, counters: &[CounterKey], now: UnixMs) -> Decision<u64, Effect> {
    let Some(subject) = state else { return Decision::answer(0) };
    let holds = subject.restrictions().map(|restrictions| &restrictions.holds);
    let (mut found, mut in_use, mut all) = (Vec::new(), 0, 0);
    subject.for_each_limit(|limit, held| {
        let counts = u64::from(!held.is_unused(now));
        all += counts;
        if let Some(counter) = counters.iter().find(|counter| counter.matches(&limit))
            && (counts > 0 || holds.is_some_and(|holds| holds.is_charged(&limit)))
        {
            found.push(counter.clone());
            in_use += counts;
        }
    });
    if counters.is_empty() {
        return Decision::change(all, Effect::Cleared);
    }
    match found.is_empty() {
        true => Decision::answer(0),
        false => Decision::change(in_use, Effect::Reset { counters: found }),
    }
}

#[cfg(test)]
#[path = "../tests/refund.rs"]
mod tests;
