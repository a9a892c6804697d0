//! BREAKER.REPORT: how calls went.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::encoding::MAX_LEVEL;
use crate::domain::breaker::state::breaker::{Breaker, BreakerPhase, ForcedState, State};
use crate::domain::breaker::state::call_window::{CallCounts, percent};
use crate::domain::breaker::state::instances::Instance;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// The most calls of a kind in one report.
pub const MAX_CALLS: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallReport<'a> {
    pub ok: u64,
    pub failed: u64,
    /// Of both kinds.
    pub slow: u64,
    pub permit: Option<u64>,
    /// Which instance reports.
    pub by: Option<&'a [u8]>,
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
    report: &CallReport<'_>,
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
            count_calls(breaker, counts, report.by, now)
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

/// Ignores the report of a call that was made before the breaker opened, or of a probe that was
/// replaced.
fn ignore_report(breaker: &Breaker, state: State, now: UnixMs) -> Decision<ReportReply, Effect> {
    Decision::answer(build_reply(state, false, breaker.sum(now)))
}

/// What a quorum notes of a report with failures or slow calls.
fn instance(breaker: &Breaker, counts: CallCounts, by: Option<&[u8]>, slice_index: u64) -> Option<Instance> {
    let seen_in = |calls: u64| (calls > 0).then_some(slice_index);
    let (failed_in, slow_in) = (seen_in(counts.failed), seen_in(counts.slow));
    let is_noted = breaker.config.quorum > 1 && failed_in.max(slow_in).is_some();
    is_noted.then(|| Instance { name: Box::from(by.unwrap_or_default()), failed_in, slow_in })
}

fn count_calls(
    breaker: &Breaker,
    counts: CallCounts,
    by: Option<&[u8]>,
    now: UnixMs,
) -> Decision<ReportReply, Effect> {
    let slice = breaker.window.current_slice_with(now, breaker.slice_length(), counts);
    let sum = breaker.sum(now).plus(counts);
    let instance = instance(breaker, counts, by, slice.index);
    let (failing, slow) = match &instance {
        Some(instance) => {
            let mut instances = breaker.instances.clone();
            instances.note(instance.clone());
            instances.counts(now, breaker.slice_length())
        }
        None if breaker.config.quorum > 1 => breaker.instances.counts(now, breaker.slice_length()),
        // Without a quorum one instance is enough.
        None => (1, 1),
    };
    let is_forced_closed = breaker.forced(now).is_some_and(|forced| forced.what == ForcedState::Closed);
    if is_forced_closed || !breaker.config.trips(sum, failing, slow) {
        return Decision::change(build_reply(State::Closed, false, sum), Effect::Count { slice, instance });
    }
    let span = breaker.config.open_time(0);
    Decision::change(
        build_reply(State::Open, true, sum),
        Effect::Open { counted: Some(slice), instance, since: now, span, level: 0 },
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
        let open = Effect::Open { counted: None, instance: None, since: now, span, level };
        return Decision::change(build_reply(State::Open, true, breaker.sum(now)), open);
    }
    if finished {
        let close = Effect::Close { generation: tokens.next(now), since: now };
        return Decision::change(build_reply(State::Closed, true, CallCounts::default()), close);
    }
    let success = Effect::ProbeSucceeded { token, ok, slow };
    Decision::change(build_reply(State::HalfOpen, false, breaker.sum(now)), success)
}
