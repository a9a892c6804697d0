//! BREAKER.REPORT: how calls went.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::encoding::MAX_LEVEL;
use crate::domain::breaker::state::breaker::{Breaker, BreakerPhase, ForcedState, State};
use crate::domain::breaker::state::call_window::{CallCounts, percent};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// The most calls of a kind in one report.
pub const MAX_CALLS: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallReport {
    pub ok: u64,
    pub failed: u64,
    /// Of both kinds.
    pub slow: u64,
    pub permit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportReply {
    pub state: State,
    /// Whether this report changed the state.
    pub changed: bool,
    pub failure_pct: u64,
    pub calls: u64,
}

pub fn decide_report(
    breaker: Option<&Breaker>,
    report: &CallReport,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<ReportReply, Effect>, Refusal> {
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
    let counts = CallCounts { ok: report.ok, failed: report.failed, slow: report.slow };
    let state = breaker.state(now);
    Ok(match (state, &breaker.phase) {
        (State::Closed, BreakerPhase::Closed { generation, .. })
            if report.permit.is_none_or(|permit| permit >= *generation) =>
        {
            count_calls(breaker, counts, now)
        }
        (State::HalfOpen, BreakerPhase::HalfOpen { ok, slow, permits }) => {
            match permits.iter().find(|permit| Some(permit.token) == report.permit) {
                Some(permit) => report_probe(breaker, permit.token, (*ok, *slow), counts, now, tokens),
                None => ignore_report(breaker, state, now),
            }
        }
        _ => ignore_report(breaker, state, now),
    })
}

fn build_reply(state: State, changed: bool, sum: CallCounts) -> ReportReply {
    let calls = sum.calls();
    ReportReply { state, changed, failure_pct: percent(sum.failed, calls), calls }
}

/// A call that was made before the breaker opened, or a probe whose place was taken.
fn ignore_report(breaker: &Breaker, state: State, now: UnixMs) -> Decision<ReportReply, Effect> {
    Decision::answer(build_reply(state, false, breaker.sum(now)))
}

fn count_calls(breaker: &Breaker, counts: CallCounts, now: UnixMs) -> Decision<ReportReply, Effect> {
    let slice = breaker.window.current_slice_with(now, breaker.slice_length(), counts);
    let sum = breaker.sum(now).plus(counts);
    let held = breaker.forced(now).is_some_and(|forced| forced.what == ForcedState::Closed);
    if held || !breaker.config.trips(sum.calls(), sum.failed, sum.slow) {
        return Decision::change(build_reply(State::Closed, false, sum), Effect::Count(slice));
    }
    let span = breaker.config.open_time(0);
    Decision::change(
        build_reply(State::Open, true, sum),
        Effect::Open { counted: Some(slice), since: now, span, level: 0 },
    )
}

fn report_probe(
    breaker: &Breaker,
    token: u64,
    (ok, slow): (u64, u64),
    counts: CallCounts,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<ReportReply, Effect> {
    let config = &breaker.config;
    let (ok, slow) = (ok + 1, slow + u64::from(counts.slow > 0));
    let finished = ok >= config.probes;
    if counts.failed > 0 || finished && slow * 100 >= config.slow_pct * ok {
        let level = (breaker.level + 1).min(MAX_LEVEL);
        let span = config.open_time(level);
        let open = Effect::Open { counted: None, since: now, span, level };
        return Decision::change(build_reply(State::Open, true, breaker.sum(now)), open);
    }
    if finished {
        let close = Effect::Close { generation: tokens.next(now), since: now };
        return Decision::change(build_reply(State::Closed, true, CallCounts::default()), close);
    }
    let success = Effect::ProbeSucceeded { token, ok, slow };
    Decision::change(build_reply(State::HalfOpen, false, breaker.sum(now)), success)
}
