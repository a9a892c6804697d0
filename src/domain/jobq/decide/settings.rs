//! CONFIG SET, PAUSE and RESUME: what an operator does with a queue as a whole.

use crate::domain::decision::Decision;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// Decides a CONFIG SET: all of its fields or none. What is set already changes nothing.
pub fn decide_configure(
    queue: Option<&Queue>,
    change: impl FnOnce(&mut Config) -> Result<(), Refusal>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let before = queue.map(|queue| queue.config.clone()).unwrap_or_default();
    let mut config = before.clone();
    change(&mut config)?;
    if config == before {
        return Ok(Decision::answer(()));
    }
    Ok(Decision::change((), effect(queue, Change::Configure(Box::new(config)), now)))
}

/// Decides a PAUSE, for `length` ms or until RESUME. It takes the place of an earlier one.
pub fn decide_pause(
    queue: Option<&Queue>,
    length: Option<u64>,
    pushes: bool,
    now: UnixMs,
) -> Decision<(), Effect> {
    let clock = queue.map_or(now, |queue| queue.clamp(now));
    let pause = Pause { until: length.map(|length| clock + length), pushes };
    if queue.and_then(|queue| queue.paused(clock)) == Some(pause) {
        return Decision::answer(());
    }
    Decision::change((), effect(queue, Change::Pause(Some(pause)), now))
}

/// Decides a RESUME. A queue that is not paused goes on as it does.
pub fn decide_resume(queue: Option<&Queue>, now: UnixMs) -> Decision<(), Effect> {
    let paused = queue.is_some_and(|queue| queue.paused(queue.clamp(now)).is_some());
    if paused { Decision::change((), effect(queue, Change::Pause(None), now)) } else { Decision::answer(()) }
}

fn effect(queue: Option<&Queue>, change: Change, now: UnixMs) -> Effect {
    Effect { now: queue.map_or(now, |queue| queue.clamp(now)), change }
}

/// The settings of a queue; a missing one has the defaults.
pub fn config(queue: Option<&Queue>) -> Config {
    queue.map(|queue| queue.config.clone()).unwrap_or_default()
}
