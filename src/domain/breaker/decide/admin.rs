//! BREAKER.CONFIG SET, BREAKER.FORCE and BREAKER.RESET: what operators do.

use crate::domain::breaker::effect::Effect;
use crate::domain::breaker::state::breaker::{Breaker, ForcedState};
use crate::domain::breaker::state::config::BreakerConfig;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// `set` changes the fields that were named; the others stay as they are.
pub fn decide_config(
    breaker: Option<&Breaker>,
    set: impl FnOnce(&mut BreakerConfig) -> Result<(), Refusal>,
) -> Result<Decision<(), Effect>, Refusal> {
    let before = breaker.map_or_else(BreakerConfig::default, |breaker| breaker.config);
    let mut config = before;
    set(&mut config)?;
    Ok(if config == before { Decision::answer(()) } else { Decision::change((), Effect::Configure(config)) })
}

/// `None` lets it go.
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
        // Again the same for ever: nothing to change. With a span it begins anew.
        Some(what) if span.is_none() && forced.is_some_and(|f| f.what == what && f.span.is_none()) => {
            Decision::answer(())
        }
        Some(what) => {
            Decision::change((), Effect::Force { what, generation: tokens.next(now), since: now, span })
        }
    })
}

/// Closed, empty and not forced; the configuration stays.
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
