//! BREAKER.ALLOW: whether a call may be made. [`Breaker::state`] tells when open becomes half-open.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::state::breaker::{Breaker, BreakerPhase, State, remaining};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowReply {
    pub allowed: bool,
    pub state: State,
    /// The permit to give back with the report; 0 when there is none.
    pub permit: u64,
    /// -1 while it is forced open for ever.
    pub retry_after_ms: i64,
}

fn deny(state: State, retry_after_ms: i64) -> Decision<AllowReply, Effect> {
    Decision::answer(AllowReply { allowed: false, state, permit: 0, retry_after_ms })
}

/// Decides an ALLOW. Only a probe changes the breaker.
pub fn decide_allow(
    breaker: Option<&Breaker>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<AllowReply, Effect>, Refusal> {
    let empty = Breaker::default();
    let breaker = breaker.unwrap_or(&empty);
    let state = breaker.state(now);
    Ok(match state {
        State::Closed | State::Disabled => {
            let permit = breaker.generation();
            Decision::answer(AllowReply { allowed: true, state, permit, retry_after_ms: 0 })
        }
        State::Open => deny(state, retry_after(breaker, now)),
        State::HalfOpen => grant_probe(breaker, now, tokens),
    })
}

/// Returns how long an open breaker stays open, ms; -1 for ever.
pub(crate) fn retry_after(breaker: &Breaker, now: UnixMs) -> i64 {
    match (breaker.forced(now), &breaker.phase) {
        (Some(forced), _) => forced.span.map_or(-1, |span| remaining(forced.since, span, now) as i64),
        (None, BreakerPhase::Open { since, span }) => remaining(*since, *span, now) as i64,
        (None, _) => 0,
    }
}

fn grant_probe(breaker: &Breaker, now: UnixMs, tokens: &TokenClock) -> Decision<AllowReply, Effect> {
    let (ok, permits) = match &breaker.phase {
        BreakerPhase::HalfOpen { ok, permits, .. } => (*ok, &permits[..]),
        _ => (0, &[][..]),
    };
    let live = permits.iter().filter(|permit| permit.left(now) > 0);
    // If the configuration asks for fewer probes by now, one more still decides.
    let wanted = breaker.config.probes.max(ok + 1);
    if ok + live.clone().count() as u64 >= wanted {
        let wait = live.map(|permit| permit.left(now)).min().unwrap_or(1);
        return deny(State::HalfOpen, wait as i64);
    }
    let token = tokens.next(now);
    let lease = breaker.config.probe_lease;
    let instead_of = permits.iter().find(|permit| permit.left(now) == 0).map(|permit| permit.token);
    Decision::change(
        AllowReply { allowed: true, state: State::HalfOpen, permit: token, retry_after_ms: 0 },
        Effect::Probe { token, since: now, lease, instead_of },
    )
}
