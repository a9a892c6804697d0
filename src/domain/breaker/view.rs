//! BREAKER.GET: the breaker as of now.

use crate::domain::breaker::decide::allow::retry_after;
use crate::domain::breaker::state::breaker::{Breaker, BreakerPhase, ForcedState, State};
use crate::domain::breaker::state::call_window::percent;
use crate::domain::time::UnixMs;
use crate::domain::value::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerView {
    pub state: State,
    pub forced: Option<ForcedState>,
    /// Until an open breaker lets the next call through; -1 for never, 0 when it is not open.
    pub retry_after_ms: i64,
    pub calls: u64,
    pub failed: u64,
    pub slow: u64,
    pub failure_pct: u64,
    pub slow_pct: u64,
    /// Probes of this half-open round that succeeded, and probes whose lease runs.
    pub probes_ok: u64,
    pub probes_out: u64,
    /// Rounds of probes that failed in a row.
    pub failed_rounds: u64,
    /// Instances that saw failures and slow calls; 0 while the quorum is 1.
    pub failing_instances: u64,
    pub slow_instances: u64,
}

pub fn view(breaker: Option<&Breaker>, now: UnixMs) -> BreakerView {
    let mut breaker = breaker.cloned().unwrap_or_default();
    if let Some(effect) = breaker.overdue(now) {
        breaker.apply(effect);
    }
    let state = breaker.state(now);
    let sum = breaker.sum(now);
    let (failing_instances, slow_instances) = breaker.instances.counts(now, breaker.slice_length());
    let (probes_ok, probes_out) = match &breaker.phase {
        BreakerPhase::HalfOpen { ok, permits, .. } => {
            (*ok, permits.iter().filter(|permit| permit.left(now) > 0).count() as u64)
        }
        BreakerPhase::Closed { .. } | BreakerPhase::Open { .. } => (0, 0),
    };
    BreakerView {
        state,
        forced: breaker.forced(now).map(|forced| forced.what),
        retry_after_ms: if state == State::Open { retry_after(&breaker, now) } else { 0 },
        calls: sum.calls(),
        failed: sum.failed,
        slow: sum.slow,
        failure_pct: percent(sum.failed, sum.calls()),
        slow_pct: percent(sum.slow, sum.calls()),
        probes_ok,
        probes_out,
        failed_rounds: u64::from(breaker.level),
        failing_instances,
        slow_instances,
    }
}

impl Breaker {
    /// BREAKER.CONFIG GET.
    pub fn config(&self) -> crate::domain::breaker::BreakerConfig {
        self.config
    }
}
