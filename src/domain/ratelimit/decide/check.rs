//! Deciding CHECK, and predicting it for PEEK.

use crate::domain::decision::Decision;
use crate::domain::ratelimit::MOST_LIMITS;
use crate::domain::ratelimit::charge::Take;
use crate::domain::ratelimit::decide::request::{Ask, Request};
use crate::domain::ratelimit::decide::verdict::{Row, Verdict};
use crate::domain::ratelimit::effect::{Effect, NewHold};
use crate::domain::ratelimit::limit::name::Name;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::one_or_many::Few;
use crate::domain::ratelimit::state::holds::{Hold, MOST_HOLDS};
use crate::domain::ratelimit::state::lockout::{Lock, Lockout};
use crate::domain::ratelimit::state::subject::Subject;
use crate::domain::ratelimit::state::usage::Held;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// A CHECK with all of its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'a> {
    pub request: Request<'a>,
    /// UPTO: takes as much of the cost as fits.
    pub upto: bool,
    /// SHADOW: decides, and lets pass what it would deny.
    pub shadow: bool,
    /// LOCKOUT: what a denial brings.
    pub lockout: Option<Lockout>,
    /// HOLD: under which id, and for how many ms, the costs can be settled.
    pub hold: Option<(&'a [u8], u64)>,
}

impl<'a> Check<'a> {
    pub fn plain(request: Request<'a>) -> Self {
        Check { request, upto: false, shadow: false, lockout: None, hold: None }
    }
}

impl Check<'_> {
    /// Whether what it takes, once it is allowed, follows from the call and the time alone: see [`taken`].
    pub fn is_plain(&self) -> bool {
        let Check { request, upto, shadow, lockout, hold } = self;
        let has_options = *upto || *shadow || lockout.is_some() || hold.is_some();
        !has_options && request.asks().iter().all(|ask| !ask.limit.rule.kind.has_periods())
    }
}

/// What a plain CHECK ([`Check::is_plain`]) takes that was allowed at `now`, whatever the state.
pub fn taken(request: &Request<'_>, now: UnixMs) -> Effect {
    let takes = Few::each(request.asks(), |ask| take(None, ask, now));
    Effect::Taken { now, takes, hold: None }
}

type Decided<'a> = Result<Decision<Verdict<'a>, Effect>, Refusal>;

/// RATELIMIT.CHECK: takes each limit's cost when all of them allow, else nothing. The rows show the
/// limits as they are afterwards; a lock is one row more.
///
/// Refuses (`ERR`) a request without limits and one that would leave more than 16 limits or 1,000 holds
/// under the key; (`MISMATCH`) the id of an open hold with other content.
pub fn decide_check<'a>(state: Option<&Subject>, check: &Check<'a>, now: UnixMs) -> Decided<'a> {
    let Check { request, upto, .. } = check;
    if request.asks().is_empty() {
        return Err(Refusal::err("no limit given: expected [name=]count/period such as 10/1m"));
    }
    if let Some(hold) = open_hold(state, check, now) {
        return answer_again(state, check, hold, now);
    }
    refuse_too_many(state, request, now)?;
    refuse_more_holds(state, check, now)?;
    let lock = state.and_then(|subject| subject.lock(now));
    if *upto {
        let fits = fitting(state, request, now);
        return decide(state, check, &request.at_cost(fits), lock, now);
    }
    decide(state, check, request, lock, now)
}

/// Decides on the costs of `request`, which with UPTO are not those of the call.
fn decide<'a>(
    state: Option<&Subject>,
    check: &Check<'a>,
    request: &Request<'a>,
    lock: Option<Lock>,
    now: UnixMs,
) -> Decided<'a> {
    let mut rows = Few::each(request.asks(), |ask| stands(state, ask, now));
    if lock.is_some() || rows.as_slice().iter().any(|row| !row.allowed) {
        return Ok(deny(state, check, rows, lock, now));
    }
    rows.as_mut_slice().iter_mut().for_each(Row::take);
    let takes = Few::each(request.asks(), |ask| take(state, ask, now));
    let hold = check.hold.map(|(id, length)| {
        let asked = check.upto.then_some(check.request.cost());
        Box::new(NewHold { id: id.into(), until: now.saturating_add(length), asked })
    });
    Ok(Decision::change(Verdict::new(rows), Effect::Taken { now, takes, hold }))
}

fn deny<'a>(
    state: Option<&Subject>,
    check: &Check<'a>,
    rows: Few<Row<'a>>,
    lock: Option<Lock>,
    now: UnixMs,
) -> Decision<Verdict<'a>, Effect> {
    let with_lock = |rows: Few<Row<'a>>, lock: &Lock| {
        Verdict::new(rows.into_iter().chain([Row::locked(lock, now)]).collect())
    };
    if check.shadow {
        let verdict = match &lock {
            Some(lock) => with_lock(rows, lock),
            None => Verdict::new(rows),
        };
        let cost =
            verdict.binding().map_or(0, |row| if row.is_lock() { check.request.cost() } else { row.cost });
        let cost = if check.upto { check.request.cost() } else { cost };
        return Decision::answer(verdict.shadowed(cost));
    }
    if let Some(lock) = &lock {
        return Decision::answer(with_lock(rows, lock));
    }
    // What can never pass says nothing about who asks.
    let never = rows.as_slice().iter().any(|row| row.retry_after_ms < 0);
    match &check.lockout {
        Some(lockout) if !never => {
            let level = state.and_then(Subject::extras).and_then(|extras| extras.level);
            let before = level.filter(|level| level.until > now).map_or(0, |level| level.count);
            let (lock, level) = lockout.lock(before, now);
            Decision::change(with_lock(rows, &lock), Effect::Locked { lock, level: Some(level) })
        }
        _ => Decision::answer(Verdict::new(rows)),
    }
}

/// How much of the cost fits into every limit; 1 where nothing does, to say when it will.
fn fitting(state: Option<&Subject>, request: &Request<'_>, now: UnixMs) -> u64 {
    let one = request.at_cost(1);
    let room = one.asks().iter().map(|ask| stands(state, ask, now).remaining).min();
    room.unwrap_or(1).min(request.cost()).max(1)
}

fn open_hold<'s>(state: Option<&'s Subject>, check: &Check<'_>, now: UnixMs) -> Option<&'s Hold> {
    let (id, _) = check.hold?;
    state?.extras()?.holds.open(id, now)
}

/// The call that opened a hold, sent again: it answers alike and takes nothing.
fn answer_again<'a>(state: Option<&Subject>, check: &Check<'a>, hold: &Hold, now: UnixMs) -> Decided<'a> {
    let asks = check.request.asks();
    let charges = hold.charges.as_slice();
    let length = check.hold.map_or(0, |(_, length)| length);
    let alike = asks.len() == charges.len()
        && check.upto == hold.upto
        && hold.at.saturating_add(length) == hold.until
        && asks
            .iter()
            .zip(charges)
            .all(|(ask, charge)| ask.limit == charge.limit() && ask.cost == charge.asked);
    if !alike {
        let text = format!("hold '{}' is open with other limits, costs or duration", shown(&hold.id));
        return Err(Refusal::new(Code::Mismatch, text));
    }
    let rows = asks.iter().zip(charges).map(|(ask, charge)| {
        let mut row = stands(state, ask, now);
        row.granted(charge.taken);
        row
    });
    Ok(Decision::answer(Verdict::new(rows.collect())))
}

/// RATELIMIT.PEEK: exactly what a CHECK of the same request would answer now. A request without limits
/// gives a row, as it stands, for each one in use, and one for a lock.
pub fn peek<'a>(
    state: Option<&'a Subject>,
    request: &Request<'a>,
    now: UnixMs,
) -> Result<Verdict<'a>, Refusal> {
    if request.asks().is_empty() {
        standing(state, request, now)
    } else {
        Ok(decide_check(state, &Check::plain(request.clone()), now)?.reply)
    }
}

/// The limits as they stand, with what a CHECK of the request would make of them.
pub fn standing<'a>(
    state: Option<&'a Subject>,
    request: &Request<'a>,
    now: UnixMs,
) -> Result<Verdict<'a>, Refusal> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    if !request.asks().is_empty() {
        refuse_too_many(state, request, now)?;
        rows.extend(request.asks().iter().map(|ask| stands(state, ask, now)));
    } else if let Some(subject) = state {
        subject.each(|limit, held| {
            if !held.is_full(now) {
                rows.push(row(held, limit, request.cost(), now));
            }
        });
    }
    let lock = state.and_then(|subject| subject.lock(now));
    Ok(Verdict::new(rows.into_iter().chain(lock.map(|lock| Row::locked(&lock, now))).collect()))
}

pub(crate) fn refuse_too_many(
    state: Option<&Subject>,
    request: &Request<'_>,
    now: UnixMs,
) -> Result<(), Refusal> {
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

fn refuse_more_holds(state: Option<&Subject>, check: &Check<'_>, now: UnixMs) -> Result<(), Refusal> {
    let open = || state.and_then(Subject::extras).map_or(0, |extras| extras.holds.open_count(now));
    if check.hold.is_some() && open() >= MOST_HOLDS {
        let text = format!("too many holds: at most {MOST_HOLDS} may be open under a key");
        return Err(Refusal::err(text));
    }
    Ok(())
}

#[inline]
fn stands<'a>(state: Option<&Subject>, ask: &Ask<'a>, now: UnixMs) -> Row<'a> {
    with(state, ask, |held| row(held, ask.limit, ask.cost, now))
}

#[inline]
pub(crate) fn row<'a>(held: &Held, limit: Limit<'a>, cost: u64, now: UnixMs) -> Row<'a> {
    let rule = &limit.rule;
    let period_ms = held.span(rule, now).map_or(rule.period_ms, |span| span.length());
    let mut row = Row::new(limit, cost, held.judge(rule, cost, now), period_ms);
    if row.allowed {
        row.reset_after_taking = held.reset_after_taking(rule, cost, now);
    }
    row
}

/// `view` of the limit's use, or of a fresh one when nothing is held of it.
#[inline]
fn with<R>(state: Option<&Subject>, ask: &Ask<'_>, view: impl Fn(&Held) -> R) -> R {
    match state.and_then(|subject| subject.find(&ask.limit, &view)) {
        Some(seen) => seen,
        None => view(&Held::fresh(None, ask.limit.rule)),
    }
}

#[inline]
fn take(state: Option<&Subject>, ask: &Ask<'_>, now: UnixMs) -> Take {
    let rule = ask.limit.rule;
    let span = if rule.kind.has_periods() { with(state, ask, |held| held.span(&rule, now)) } else { None };
    // The name has been read by `Limit::parse`, so it is one.
    Take { name: ask.limit.name.and_then(Name::new), rule, span, cost: ask.cost }
}

#[cfg(test)]
#[path = "../tests/check.rs"]
mod tests;

#[cfg(test)]
#[path = "../tests/check_options.rs"]
mod options_tests;
