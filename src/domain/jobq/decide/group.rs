//! GROUP SET, and PAUSE and RESUME of one group: what an operator does with a group.

use crate::domain::decision::Decision;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::group_controls::{GroupControl, MAX_OWN_GROUPS};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;

/// Decides a GROUP SET: how many runs of a group may be under way, `None` as the queue says.
pub fn decide_set_group(
    queue: Option<&Queue>,
    group: &[u8],
    concurrency: Option<u32>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let known = control(queue, group);
    if known.and_then(|known| known.concurrency) == concurrency {
        return Ok(Decision::answer(()));
    }
    if concurrency.is_some() {
        refuse_too_many(queue, known)?;
    }
    let change = Change::SetGroup { group: group.into(), concurrency };
    Ok(Decision::change((), Effect { now: clock(queue, now), change }))
}

/// Decides a PAUSE of a group, for `length` ms or until RESUME. It takes the place of an earlier
/// one.
pub fn decide_pause_group(
    queue: Option<&Queue>,
    group: &[u8],
    length: Option<u64>,
    pushes: bool,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let (known, clock) = (control(queue, group), clock(queue, now));
    let pause = Pause { until: length.map(|length| clock + length), pushes };
    if known.and_then(|known| known.paused(clock)) == Some(pause) {
        return Ok(Decision::answer(()));
    }
    refuse_too_many(queue, known)?;
    let change = Change::PauseGroup { group: group.into(), pause: Some(pause) };
    Ok(Decision::change((), Effect { now: clock, change }))
}

/// Decides a RESUME of a group.
pub fn decide_resume_group(queue: Option<&Queue>, group: &[u8], now: UnixMs) -> Decision<(), Effect> {
    let clock = clock(queue, now);
    if control(queue, group).and_then(|known| known.paused(clock)).is_none() {
        return Decision::answer(());
    }
    Decision::change(
        (),
        Effect { now: clock, change: Change::PauseGroup { group: group.into(), pause: None } },
    )
}

/// Refuses what would be pushed to a group that takes no jobs.
pub(crate) fn refuse_closed_group(
    queue: Option<&Queue>,
    group: Option<&[u8]>,
    now: UnixMs,
) -> Result<(), Refusal> {
    let pause = group.and_then(|group| control(queue, group)?.paused(now)).filter(|pause| pause.pushes);
    let Some(Pause { until, .. }) = pause else { return Ok(()) };
    let until = until.map_or_else(|| "JOBQ.RESUME".into(), |until| format!("{until}"));
    Err(Refusal::new(Code::Paused, format!("the group takes no jobs until {until}")))
}

fn control<'q>(queue: Option<&'q Queue>, group: &[u8]) -> Option<&'q GroupControl> {
    queue?.group_controls.get(group)
}

fn clock(queue: Option<&Queue>, now: UnixMs) -> UnixMs {
    queue.map_or(now, |queue| queue.clamp(now))
}

fn refuse_too_many(queue: Option<&Queue>, known: Option<&GroupControl>) -> Result<(), Refusal> {
    let count = queue.map_or(0, |queue| queue.group_controls.set_count());
    if count < MAX_OWN_GROUPS || known.is_some_and(GroupControl::is_set) {
        return Ok(());
    }
    Err(Refusal::err(format!(
        "{count} groups of this queue have a CONCURRENCY or PAUSE of their own, at most {MAX_OWN_GROUPS} may: \
         give some of them CONCURRENCY default or RESUME"
    )))
}
