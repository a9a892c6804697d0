//! BREAKER.REPORT: how calls went.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::encoding::TOP_LEVEL;
use crate::domain::breaker::state::breaker::{Breaker, Force, Phase, State};
use crate::domain::breaker::state::call_window::{Counts, percent};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// The most calls of a kind in one report.
pub const MOST_CALLS: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    pub ok: u64,
    pub failed: u64,
    /// Of both kinds.
    pub slow: u64,
    pub permit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    pub state: State,
    /// Whether this report changed the state.
    pub changed: bool,
    pub failure_pct: u64,
    pub calls: u64,
}

pub fn decide_report(
    breaker: Option<&Breaker>,
    report: &Report,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<Reported, Effect>, Refusal> {
    let calls = report.ok.saturating_add(report.failed);
    if calls == 0 {
        return Err(Refusal::err("nothing is reported: give OK n or FAIL n with n above 0"));
    }
    if report.slow > calls {
        let slow = report.slow;
        return Err(Refusal::err(format!(
            "SLOW '{slow}': slow calls are counted in OK or FAIL as well, and those are {calls}"
        )));
    }
    let empty = Breaker::default();
    let breaker = breaker.unwrap_or(&empty);
    let counts = Counts { ok: report.ok, failed: report.failed, slow: report.slow };
    let state = breaker.state(now);
    Ok(match (state, &breaker.phase) {
        (State::Closed, Phase::Closed { generation, .. })
            if report.permit.is_none_or(|permit| permit >= *generation) =>
        {
            count(breaker, counts, now)
        }
        (State::HalfOpen, Phase::HalfOpen { ok, slow, permits }) => {
            match permits.iter().find(|permit| Some(permit.token) == report.permit) {
                Some(permit) => probed(breaker, permit.token, (*ok, *slow), counts, now, tokens),
                None => ignored(breaker, state, now),
            }
        }
        _ => ignored(breaker, state, now),
    })
}

fn reported(state: State, changed: bool, sum: Counts) -> Reported {
    let calls = sum.calls();
    Reported { state, changed, failure_pct: percent(sum.failed, calls), calls }
}

/// A call that was made before the breaker opened, or a probe whose place was taken.
fn ignored(breaker: &Breaker, state: State, now: UnixMs) -> Decision<Reported, Effect> {
    Decision::answer(reported(state, false, breaker.sum(now)))
}

fn count(breaker: &Breaker, counts: Counts, now: UnixMs) -> Decision<Reported, Effect> {
    let slice = breaker.window.with(now, breaker.slice_length(), counts);
    let sum = breaker.sum(now).plus(counts);
    let held = breaker.forced(now).is_some_and(|forced| forced.what == Force::Closed);
    if held || !breaker.config.trips(sum.calls(), sum.failed, sum.slow) {
        return Decision::change(reported(State::Closed, false, sum), Effect::Count(slice));
    }
    let span = breaker.config.open_time(0);
    Decision::change(
        reported(State::Open, true, sum),
        Effect::Open { counted: Some(slice), since: now, span, level: 0 },
    )
}

fn probed(
    breaker: &Breaker,
    token: u64,
    (ok, slow): (u64, u64),
    counts: Counts,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<Reported, Effect> {
    let config = &breaker.config;
    let (ok, slow) = (ok + 1, slow + u64::from(counts.slow > 0));
    let finished = ok >= config.probes;
    if counts.failed > 0 || finished && slow * 100 >= config.slow_pct * ok {
        let level = (breaker.level + 1).min(TOP_LEVEL);
        let span = config.open_time(level);
        let open = Effect::Open { counted: None, since: now, span, level };
        return Decision::change(reported(State::Open, true, breaker.sum(now)), open);
    }
    if finished {
        let close = Effect::Close { generation: tokens.next(now), since: now };
        return Decision::change(reported(State::Closed, true, Counts::default()), close);
    }
    let success = Effect::Probed { token, ok, slow };
    Decision::change(reported(State::HalfOpen, false, breaker.sum(now)), success)
}
