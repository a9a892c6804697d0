//! Decides CHECK.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::charge::Charge;
use crate::domain::ratelimit::decide::request::{CheckRequest, RequestedLimit};
use crate::domain::ratelimit::decide::verdict::{CheckVerdict, LimitRow};
use crate::domain::ratelimit::effect::{Effect, NewHold};
use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::ratelimit::state::holds::{Hold, MAX_HOLDS};
use crate::domain::ratelimit::state::lockout::{Lock, Lockout};
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::ratelimit::state::usage::LimitUsage;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// A CHECK with all of its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'a> {
    pub request: CheckRequest<'a>,
    /// UPTO: charges as much of the cost as fits.
    pub upto: bool,
    /// SHADOW: decides as usual, but allows what it would deny.
    pub shadow: bool,
    /// LOCKOUT: how long a denial locks the subject out.
    pub lockout: Option<Lockout>,
    /// HOLD: the id of the hold, and for how many ms it can be settled.
    pub hold: Option<(&'a [u8], u64)>,
}

impl<'a> Check<'a> {
    pub fn plain(request: CheckRequest<'a>) -> Self {
        Check { request, upto: false, shadow: false, lockout: None, hold: None }
    }
}

impl Check<'_> {
    /// Whether the charges of an allowed call follow from the call and the time alone. See
    /// [`check_effect`].
    pub fn is_plain(&self) -> bool {
        let Check { request, upto, shadow, lockout, hold } = self;
        let has_options = *upto || *shadow || lockout.is_some() || hold.is_some();
        !has_options && request.items().iter().all(|item| !item.limit.rule.kind.has_periods())
    }
}

/// The effect of a plain CHECK ([`Check::is_plain`]) that was allowed at `now`, whatever the state.
pub fn check_effect(request: &CheckRequest<'_>, now: UnixMs) -> Effect {
    Effect::Taken { now, charges: charges(None, request, false, now), hold: None }
}

type Decided<'a> = Result<Decision<CheckVerdict<'a>, Effect>, Refusal>;

/// Decides RATELIMIT.CHECK: charges every limit its cost if all of them allow, else nothing. The
/// rows show the limits after the call; a lock adds one row.
///
/// Returns `ERR` for a request without limits, and for one after which the key would hold more than
/// 16 limits or 1,000 holds. Returns `MISMATCH` for the id of an open hold with other content.
pub fn decide_check<'a>(state: Option<&Subject>, check: &Check<'a>, now: UnixMs) -> Decided<'a> {
    let Check { request, upto, .. } = check;
    if request.items().is_empty() {
        return Err(Refusal::err("no limit given: expected [name=]count/period such as 10/1m"));
    }
    if let Some(hold) = open_hold(state, check, now) {
        return answer_known_hold(state, check, hold, now);
    }
    refuse_too_many(state, request, now)?;
    refuse_more_holds(state, check, now)?;
    let lock = state.and_then(|subject| subject.lock(now));
    if *upto {
        let fits = max_fitting_cost(state, request, now);
        return decide(state, check, &request.with_cost(fits), lock, now);
    }
    decide(state, check, request, lock, now)
}

/// Decides on the costs of `request`. With UPTO they differ from those of the call.
fn decide<'a>(
    state: Option<&Subject>,
    check: &Check<'a>,
    request: &CheckRequest<'a>,
    lock: Option<Lock>,
    now: UnixMs,
) -> Decided<'a> {
    let mut rows = OneOrMany::map_slice(request.items(), |item| evaluate_row(state, item, now));
    if lock.is_some() || rows.as_slice().iter().any(|row| !row.allowed) {
        return Ok(deny(state, check, rows, lock, now));
    }
    rows.as_mut_slice().iter_mut().for_each(LimitRow::apply_cost);
    let hold = new_hold(check, false, now);
    let charges = charges(state, request, hold.is_some(), now);
    Ok(Decision::change(CheckVerdict::new(rows), Effect::Taken { now, charges, hold }))
}

fn new_hold(check: &Check<'_>, is_shadow: bool, now: UnixMs) -> Option<Box<NewHold>> {
    let (id, length) = check.hold?;
    let asked = check.upto.then_some(check.request.cost());
    Some(Box::new(NewHold { id: id.into(), until: now.saturating_add(length), asked, is_shadow }))
}

/// Returns the charges of an allowed call. A hold also keeps the limits of cost 0, so that SETTLE
/// can charge them.
#[inline]
fn charges(
    state: Option<&Subject>,
    request: &CheckRequest<'_>,
    has_hold: bool,
    now: UnixMs,
) -> OneOrMany<Charge> {
    let items = request.items();
    if has_hold || items.iter().all(|item| item.cost > 0) {
        return OneOrMany::map_slice(items, |item| charge_for(state, item, now));
    }
    let charged = items.iter().filter(|item| item.cost > 0);
    charged.map(|item| charge_for(state, item, now)).collect()
}

fn deny<'a>(
    state: Option<&Subject>,
    check: &Check<'a>,
    rows: OneOrMany<LimitRow<'a>>,
    lock: Option<Lock>,
    now: UnixMs,
) -> Decision<CheckVerdict<'a>, Effect> {
    let with_lock = |rows: OneOrMany<LimitRow<'a>>, lock: &Lock| {
        CheckVerdict::new(rows.into_iter().chain([LimitRow::locked(lock, now)]).collect())
    };
    if check.shadow {
        let verdict = match &lock {
            Some(lock) => with_lock(rows, lock),
            None => CheckVerdict::new(rows),
        };
        let cost =
            verdict.binding().map_or(0, |row| if row.is_lock() { check.request.cost() } else { row.cost });
        let cost = if check.upto { check.request.cost() } else { cost };
        let verdict = verdict.with_shadow_cost(cost);
        return match new_hold(check, true, now) {
            // The hold charges nothing, so that SETTLE of the call that passed finds it.
            hold @ Some(_) => {
                let charges = charges(state, &check.request, true, now);
                Decision::change(verdict, Effect::Taken { now, charges, hold })
            }
            None => Decision::answer(verdict),
        };
    }
    if let Some(lock) = &lock {
        return Decision::answer(with_lock(rows, lock));
    }
    // A call that can never pass says nothing about its client, so it does not lock the subject
    // out.
    let never = rows.as_slice().iter().any(|row| row.retry_after_ms < 0);
    match &check.lockout {
        Some(lockout) if !never => {
            let level = state.and_then(Subject::restrictions).and_then(|restrictions| restrictions.level);
            let before = level.filter(|level| level.until > now).map_or(0, |level| level.count);
            let (lock, level) = lockout.lock(before, now);
            Decision::change(with_lock(rows, &lock), Effect::Locked { lock, level: Some(level) })
        }
        _ => Decision::answer(CheckVerdict::new(rows)),
    }
}

/// Returns how much of the cost fits into every limit. Returns 1 if nothing fits, so that the reply
/// tells when 1 will.
fn max_fitting_cost(state: Option<&Subject>, request: &CheckRequest<'_>, now: UnixMs) -> u64 {
    let one = request.with_cost(1);
    let room = one.items().iter().map(|item| evaluate_row(state, item, now).remaining).min();
    room.unwrap_or(1).min(request.cost()).max(1)
}

fn open_hold<'s>(state: Option<&'s Subject>, check: &Check<'_>, now: UnixMs) -> Option<&'s Hold> {
    let (id, _) = check.hold?;
    state?.restrictions()?.holds.open(id, now)
}

/// Answers a repeated call that opened a hold earlier: the same reply, and no charge.
fn answer_known_hold<'a>(
    state: Option<&Subject>,
    check: &Check<'a>,
    hold: &Hold,
    now: UnixMs,
) -> Decided<'a> {
    let items = check.request.items();
    let charges = hold.charges.as_slice();
    let length = check.hold.map_or(0, |(_, length)| length);
    let alike = items.len() == charges.len()
        && check.upto == hold.upto
        && hold.at.saturating_add(length) == hold.until
        && items
            .iter()
            .zip(charges)
            .all(|(item, charge)| item.limit == charge.limit() && item.cost == charge.asked);
    if !alike {
        let text = format!("hold '{}' is open with other limits, costs or duration", shown(&hold.id));
        return Err(Refusal::new(Code::Mismatch, text));
    }
    let rows = items.iter().zip(charges).map(|(item, charge)| {
        let mut row = evaluate_row(state, item, now);
        row.mark_granted(charge.taken);
        row
    });
    let verdict = CheckVerdict::new(rows.collect());
    let is_shadow = check.shadow && charges.iter().all(|charge| charge.taken == 0);
    let cost = if check.upto { check.request.cost() } else { items.first().map_or(0, |item| item.cost) };
    Ok(Decision::answer(if is_shadow { verdict.with_shadow_cost(cost) } else { verdict }))
}

/// Answers RATELIMIT.PEEK: a row for each limit in its present state, and whether it would allow
/// the cost of the request now. A request without limits gets a row for each limit in use. A lock
/// adds one row.
pub fn current_rows<'a>(
    state: Option<&'a Subject>,
    request: &CheckRequest<'a>,
    now: UnixMs,
) -> Result<CheckVerdict<'a>, Refusal> {
    if !request.items().is_empty() {
        return named_rows(state, request, now);
    }
    let mut rows: Vec<LimitRow<'a>> = Vec::new();
    if let Some(subject) = state {
        subject.for_each_limit(|limit, held| {
            if !held.is_unused(now) {
                rows.push(build_row(held, limit, request.cost(), now));
            }
        });
    }
    let lock = state.and_then(|subject| subject.lock(now));
    Ok(CheckVerdict::new(rows.into_iter().chain(lock.map(|lock| LimitRow::locked(&lock, now))).collect()))
}

/// Like [`current_rows`], but for a request that names its limits. The rows do not borrow the
/// state.
pub fn named_rows<'a>(
    state: Option<&Subject>,
    request: &CheckRequest<'a>,
    now: UnixMs,
) -> Result<CheckVerdict<'a>, Refusal> {
    refuse_too_many(state, request, now)?;
    let rows = request.items().iter().map(|item| evaluate_row(state, item, now));
    let lock = state.and_then(|subject| subject.lock(now));
    Ok(CheckVerdict::new(rows.chain(lock.map(|lock| LimitRow::locked(&lock, now))).collect()))
}

pub(crate) fn refuse_too_many(
    state: Option<&Subject>,
    request: &CheckRequest<'_>,
    now: UnixMs,
) -> Result<(), Refusal> {
    let Some(subject) = state else { return Ok(()) };
    if subject.len() + request.items().len() <= MAX_LIMITS {
        return Ok(());
    }
    match subject.count_with(request.items().iter().map(|item| &item.limit), now) {
        0..=MAX_LIMITS => Ok(()),
        held => Err(Refusal::err(format!(
            "too many limits: with this call the key would hold {held}, at most {MAX_LIMITS} are allowed"
        ))),
    }
}

fn refuse_more_holds(state: Option<&Subject>, check: &Check<'_>, now: UnixMs) -> Result<(), Refusal> {
    let open =
        || state.and_then(Subject::restrictions).map_or(0, |restrictions| restrictions.holds.open_count(now));
    if check.hold.is_some() && open() >= MAX_HOLDS {
        let text = format!("too many holds: at most {MAX_HOLDS} may be open under a key");
        return Err(Refusal::err(text));
    }
    Ok(())
}

#[inline]
pub(crate) fn evaluate_row<'a>(
    state: Option<&Subject>,
    item: &RequestedLimit<'a>,
    now: UnixMs,
) -> LimitRow<'a> {
    with_usage(state, item, |held| build_row(held, item.limit, item.cost, now))
}

#[inline]
pub(crate) fn build_row<'a>(held: &LimitUsage, limit: Limit<'a>, cost: u64, now: UnixMs) -> LimitRow<'a> {
    let rule = &limit.rule;
    let period_ms = held.span(rule, now).map_or(rule.period_ms, |span| span.length());
    let mut status = held.evaluate(rule, cost, now);
    if cost == 0 {
        status.retry_after_ms = Some(0);
    }
    let mut row = LimitRow::new(limit, cost, status, period_ms);
    if row.allowed {
        row.reset_after_taking =
            if cost == 0 { row.reset_after_ms } else { held.reset_after_taking(rule, cost, now) };
    }
    row
}

/// Calls `view` on the use of the limit, or on an unused limit if the subject does not hold it.
#[inline]
fn with_usage<R>(state: Option<&Subject>, item: &RequestedLimit<'_>, view: impl Fn(&LimitUsage) -> R) -> R {
    match state.and_then(|subject| subject.find(&item.limit, &view)) {
        Some(seen) => seen,
        None => view(&LimitUsage::unused(None, item.limit.rule)),
    }
}

#[inline]
pub(crate) fn charge_for(state: Option<&Subject>, item: &RequestedLimit<'_>, now: UnixMs) -> Charge {
    let rule = item.limit.rule;
    let span =
        if rule.kind.has_periods() { with_usage(state, item, |held| held.span(&rule, now)) } else { None };
    // `Limit::parse` has checked the name, so it is valid.
    Charge { name: item.limit.name.and_then(LimitName::new), rule, span, cost: item.cost }
}

#[cfg(test)]
#[path = "../tests/check.rs"]
mod tests;

#[cfg(test)]
#[path = "../tests/check_options.rs"]
mod options_tests;
