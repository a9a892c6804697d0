//! BREAKER.CONFIG SET, BREAKER.FORCE and BREAKER.RESET: what operators do.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::state::breaker::{Breaker, ForcedState};
use crate::domain::breaker::state::config::BreakerConfig;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// Decides a CONFIG SET. `set` changes the named fields; the others stay.
pub fn decide_config(
    breaker: Option<&Breaker>,
    set: impl FnOnce(&mut BreakerConfig) -> Result<(), Refusal>,
) -> Result<Decision<(), Effect>, Refusal> {
    let before = breaker.map_or_else(BreakerConfig::default, |breaker| breaker.config);
    let mut config = before;
    set(&mut config)?;
    Ok(if config == before { Decision::answer(()) } else { Decision::change((), Effect::Configure(config)) })
}

/// Decides a BREAKER.FORCE; `None` ends what was forced.
pub fn decide_force(
    breaker: Option<&Breaker>,
    what: Option<ForcedState>,
    span: Option<u64>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<(), Effect>, Refusal> {
    let forced = breaker.and_then(|breaker| breaker.forced(now));
    Ok(match what {
        None if forced.is_none() => Decision::answer(()),
        None => Decision::change((), Effect::EndForce),
        // The same force without an end changes nothing. With FOR its time restarts.
        Some(what) if span.is_none() && forced.is_some_and(|f| f.what == what && f.span.is_none()) => {
            Decision::answer(())
        }
        Some(what) => {
            Decision::change((), Effect::Force { what, generation: tokens.next(now), since: now, span })
        }
    })
}

/// Decides a RESET: the breaker is closed, empty and not forced; its configuration stays.
pub fn decide_reset(
    breaker: Option<&Breaker>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<(), Effect>, Refusal> {
    Ok(match breaker {
        None => Decision::answer(()),
        Some(_) => Decision::change((), Effect::Reset { generation: tokens.next(now), since: now }),
    })
}
