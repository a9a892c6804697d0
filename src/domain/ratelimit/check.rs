//! Deciding CHECK, and predicting it for PEEK.

use super::MOST_LIMITS;
use super::effect::{Effect, Take};
use super::few::Few;
use super::held::Held;
use super::name::Name;
use super::request::{Ask, Request};
use super::spec::Limit;
use super::subject::Subject;
use super::verdict::{Row, Verdict};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// RATELIMIT.CHECK: takes each limit's cost when all of them allow, else nothing. The rows show the
/// limits as they are afterwards. `state` is none where there is no key.
///
/// Refuses (`ERR`) a request without limits and one that would leave more than 16 under the key.
pub fn decide_check<'a>(
    state: Option<&Subject>,
    request: &Request<'a>,
    now: UnixMs,
) -> Result<Decision<Verdict<'a>, Effect>, Refusal> {
    if request.asks().is_empty() {
        return Err(Refusal::err("no limit given: expected [name=]count/period such as 10/1m"));
    }
    refuse_too_many(state, request, now)?;
    let before: Few<Row<'a>> = request.asks().iter().map(|ask| stands(state, ask, now)).collect();
    if before.as_slice().iter().any(|row| !row.allowed) {
        return Ok(Decision::answer(Verdict::new(before)));
    }
    let mut after = before;
    for (row, ask) in after.as_mut_slice().iter_mut().zip(request.asks()) {
        row.take(with(state, ask, |held| held.reset_after_taking(&ask.limit.rule, ask.cost, now)));
    }
    let takes = request.asks().iter().map(|ask| take(state, ask, now)).collect();
    Ok(Decision::change(Verdict::new(after), Effect::Taken { now, takes }))
}

/// RATELIMIT.PEEK: exactly what a CHECK of the same request would answer now. A request without limits
/// gives a row, as it stands, for each one in use.
pub fn peek<'a>(
    state: Option<&'a Subject>,
    request: &Request<'a>,
    now: UnixMs,
) -> Result<Verdict<'a>, Refusal> {
    if request.asks().is_empty() {
        standing(state, request, now)
    } else {
        Ok(decide_check(state, request, now)?.reply)
    }
}

/// The limits as they stand, with what a CHECK of the request would make of them.
pub(super) fn standing<'a>(
    state: Option<&'a Subject>,
    request: &Request<'a>,
    now: UnixMs,
) -> Result<Verdict<'a>, Refusal> {
    if !request.asks().is_empty() {
        refuse_too_many(state, request, now)?;
        return Ok(Verdict::new(request.asks().iter().map(|ask| stands(state, ask, now)).collect()));
    }
    let mut rows = Vec::new();
    if let Some(subject) = state {
        subject.each(|limit, held| {
            if !held.is_full(now) {
                rows.push(row(held, limit, request.cost(), now));
            }
        });
    }
    Ok(Verdict::new(rows.into_iter().collect()))
}

fn refuse_too_many(state: Option<&Subject>, request: &Request<'_>, now: UnixMs) -> Result<(), Refusal> {
    let Some(subject) = state else { return Ok(()) };
    if subject.len() + request.asks().len() <= MOST_LIMITS {
        return Ok(());
    }
    match subject.held_with(request.asks().iter().map(|ask| &ask.limit), now) {
        0..=MOST_LIMITS => Ok(()),
        held => Err(Refusal::err(format!(
            "too many limits: with this call the key would hold {held}, at most {MOST_LIMITS} are allowed"
        ))),
    }
}

fn stands<'a>(state: Option<&Subject>, ask: &Ask<'a>, now: UnixMs) -> Row<'a> {
    with(state, ask, |held| row(held, ask.limit, ask.cost, now))
}

fn row<'a>(held: &Held, limit: Limit<'a>, cost: u64, now: UnixMs) -> Row<'a> {
    let period_ms = held.span(&limit.rule, now).map_or(limit.rule.period_ms, |span| span.length());
    Row::new(limit, cost, held.judge(&limit.rule, cost, now), period_ms)
}

/// `view` of the limit's use, or of a fresh one when nothing is held of it.
fn with<R>(state: Option<&Subject>, ask: &Ask<'_>, view: impl Fn(&Held) -> R) -> R {
    state
        .and_then(|subject| subject.find(&ask.limit, &view))
        .unwrap_or_else(|| view(&Held::fresh(None, ask.limit.rule)))
}

fn take(state: Option<&Subject>, ask: &Ask<'_>, now: UnixMs) -> Take {
    let rule = ask.limit.rule;
    let span = if rule.kind.has_periods() { with(state, ask, |held| held.span(&rule, now)) } else { None };
    // The name has been read by `Limit::parse`, so it is one.
    Take { name: ask.limit.name.and_then(Name::new), rule, span, cost: ask.cost }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
