//! CRON SET, DEL and RUN: schedules that a queue keeps.

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::decision::Decision;
use crate::domain::jobq::decide::group::refuse_closed_group;
use crate::domain::jobq::decide::push::{Push, Pushed, refuse_big, refuse_closed, refuse_full};
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::schedule_runs::run_id;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::schedules::{
    CatchUp, MAX_SCHEDULES, RunBounds, RunProgress, ScheduleEntry, ScheduleSpec,
};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// A CRON SET.
#[derive(Debug, Clone, PartialEq)]
pub struct SetSchedule<'a> {
    /// 1 to [`MAX_SCHEDULE_NAME_BYTES`](crate::domain::jobq::MAX_SCHEDULE_NAME_BYTES) bytes, not
    /// beginning with `#`.
    pub name: &'a [u8],
    pub pattern: &'a [u8],
    pub zone: Zone,
    pub catch_up: CatchUp,
    pub overlap: bool,
    pub bounds: RunBounds,
    /// What every run pushes; it has no id and no time.
    pub push: Push<'a>,
}

/// Decides a CRON SET. It replaces a schedule of the same name. While pattern, zone and START stay
/// as they are, so does the next time. The same again changes nothing.
///
/// Refuses (`ERR`) what is no pattern or is never due, (`TOOBIG`) a payload that the queue does not
/// take, and (`FULL`) more schedules than a queue may have.
pub fn decide_set_schedule(
    queue: Option<&Queue>,
    plan: &SetSchedule<'_>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let recurrence = Recurrence::parse(plan.pattern, plan.zone).map_err(Refusal::err)?;
    let now = queue.map_or(now, |queue| queue.clamp(now));
    let spec = ScheduleSpec {
        pattern: plan.pattern.into(),
        zone: plan.zone.name().as_bytes().into(),
        catch_up: plan.catch_up,
        overlap: plan.overlap,
        bounds: plan.bounds,
        job: plan.push.job(0, queue.map_or(&Config::default(), |queue| &queue.config)),
    };
    let known = queue.and_then(|queue| queue.schedules.get(plan.name));
    if known.is_some_and(|known| known.spec == spec) {
        return Ok(Decision::answer(()));
    }
    refuse_big(queue, plan.push.payload.len())?;
    if known.is_none() && queue.is_some_and(|queue| queue.schedules.len() >= MAX_SCHEDULES) {
        let text = format!("the queue has {MAX_SCHEDULES} schedules, the most that it may have");
        return Err(Refusal::new(Code::Full, text));
    }
    let next = first_due(known, &spec, &recurrence, now);
    // One whose pattern stays may have come to its end.
    if next.is_none() && known.is_none_or(|known| known.spec.pattern != spec.pattern) {
        return Err(refuse_never_due(plan));
    }
    let change = Change::SetSchedule { name: plan.name.into(), spec: Box::new(spec), next };
    Ok(Decision::change((), Effect { now, change }))
}

/// When a schedule that gets a new spec is due next. The next time of one with the same times
/// stays, since it may have come already.
fn first_due(
    known: Option<&ScheduleEntry>,
    spec: &ScheduleSpec,
    recurrence: &Recurrence,
    now: UnixMs,
) -> Option<UnixMs> {
    let (set_at, progress) = known.map_or((now, RunProgress::default()), |known| known.kept_by(spec, now));
    if !spec.has_runs_left(progress.made) {
        return None;
    }
    let kept = known.filter(|known| known.spec.has_same_times(spec)).and_then(|known| known.next);
    let kept = kept.filter(|next| spec.bounds.end.is_none_or(|end| *next <= end));
    kept.or_else(|| spec.next_due(recurrence, now, set_at))
}

fn refuse_never_due(plan: &SetSchedule<'_>) -> Refusal {
    Refusal::err(match plan.bounds.end {
        Some(end) => format!("END '{end}': the schedule would never be due before it ends"),
        None => format!("cron '{}': is never due in {}", shown(plan.pattern), plan.zone.name()),
    })
}

/// Decides a CRON DEL: whether there was such a schedule. Jobs that it has pushed stay.
pub fn decide_delete_schedule(queue: Option<&Queue>, name: &[u8], now: UnixMs) -> Decision<bool, Effect> {
    match queue.filter(|queue| queue.schedules.get(name).is_some()) {
        Some(_) => {
            Decision::change(true, Effect { now, change: Change::DeleteSchedule { name: name.into() } })
        }
        None => Decision::answer(false),
    }
}

/// Decides a CRON RUN: one run now, of the id `name@now`, beside those that are due. Unless runs
/// may overlap, one that is unfinished is answered instead, so that the same again adds nothing.
pub fn decide_run_schedule(
    queue: Option<&Queue>,
    name: &[u8],
    now: UnixMs,
) -> Result<Decision<Pushed, Effect>, Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no schedule '{}'", shown(name)));
    let queue = queue.ok_or_else(unknown)?;
    let entry = queue.schedules.get(name).ok_or_else(unknown)?;
    let now = queue.clamp(now);
    if let Some(run) = entry.last.filter(|run| !entry.spec.overlap && queue.is_unfinished(run.serial, now))
        && let Some(job) = queue.job(run.serial)
    {
        return Ok(Decision::answer(Pushed::Duplicate(job.shown_id(run.serial).into())));
    }
    let id = run_id(name, now);
    if queue.find(&id).is_some() {
        return Ok(Decision::answer(Pushed::Duplicate(id)));
    }
    refuse_closed(Some(queue), 0, now)?;
    refuse_closed_group(Some(queue), entry.spec.job.group.as_deref(), now)?;
    refuse_full(Some(queue), 1)?;
    let change = Change::RunSchedule { name: name.into(), due: now };
    Ok(Decision::change(Pushed::New(id.into()), Effect { now, change }))
}

/// What CRON LIST shows of a schedule.
#[derive(Debug)]
pub struct ScheduleView<'a> {
    pub name: &'a [u8],
    pub entry: &'a ScheduleEntry,
    /// The last run is not finished.
    pub running: bool,
}

impl ScheduleView<'_> {
    /// The id of its last run.
    pub fn last_id(&self) -> Option<Box<[u8]>> {
        self.entry.last.map(|run| run_id(self.name, run.due))
    }
}

/// The schedules of a queue in the order of their names. A run that is due is there when the
/// primary has made it.
pub fn schedules(queue: Option<&Queue>, now: UnixMs) -> Vec<ScheduleView<'_>> {
    let Some(queue) = queue else { return Vec::new() };
    let now = queue.clamp(now);
    let running = |entry: &ScheduleEntry| entry.last.is_some_and(|run| queue.is_unfinished(run.serial, now));
    queue
        .schedules
        .iter()
        .map(|(name, entry)| ScheduleView { name, entry, running: running(entry) })
        .collect()
}
