//! What the schedules of a queue make due: runs, each pushed as a job of the id `name@due_ms`.
//!
//! Only a primary computes runs, as only it needs the time zones. The changes it finds contain the
//! times, so a replica that applies them needs no calendar.

use crate::domain::jobq::effect::Change;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::as_of::state_at;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::{CatchUp, ScheduleEntry, ScheduleSpec};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::{MINUTE, UnixMs};

/// A run that is later than this is missed, and so is every run that is due after it by then.
pub const MISSED_AFTER_MS: u64 = MINUTE;
/// The most missed runs that are made one after the other; the others are left out.
pub const MAX_CATCH_UP_RUNS: u32 = 1_000;

/// The most judgements at once: each asks the calendar.
const MAX_RUN_DECISIONS: usize = 50;
/// The most judgements of one schedule at once.
const MAX_RUN_DECISIONS_OF_ONE: usize = 8;

/// The id of a run.
pub(crate) fn run_id(name: &[u8], due: UnixMs) -> Box<[u8]> {
    [name, format!("@{due}").as_bytes()].concat().into()
}

/// What is to be done about a time that has come.
#[derive(Debug, PartialEq, Eq)]
enum RunDecision {
    Run,
    /// Not this time.
    Skip,
    /// When the last run has ended.
    Wait,
}

impl Queue {
    /// When a schedule is due next.
    pub fn next_run(&self) -> Option<UnixMs> {
        let first = self.schedules.first_due()?;
        match self.pause.filter(|pause| pause.pushes) {
            Some(Pause { until, .. }) => until.map(|until| until.max(first)),
            None => Some(first),
        }
    }

    /// What the schedules make due by `now`, in bounded steps: some may be left for the next time.
    pub(crate) fn due_runs(&self, now: UnixMs) -> Vec<Change> {
        let mut changes = Vec::new();
        // What is due while the queue takes no jobs is missed.
        if self.paused(now).is_some_and(|pause| pause.pushes) {
            return changes;
        }
        let (mut left, mut room) = (MAX_RUN_DECISIONS, self.length_left());
        for (name, entry) in self.schedules.due(now) {
            if left == 0 {
                break;
            }
            let asked = MAX_RUN_DECISIONS_OF_ONE.min(left);
            left -= asked - self.decide_due_runs(name, entry, now, asked, &mut room, &mut changes);
        }
        changes
    }

    /// Whether the last run has not ended yet.
    pub(crate) fn is_unfinished(&self, serial: Serial, now: UnixMs) -> bool {
        let state = self.job(serial).and_then(|job| state_at(self, job, now));
        state.is_some_and(|state| !state.is_end())
    }

    /// Decides at most `most` due runs of a schedule. Returns how many of these decisions were not
    /// needed.
    fn decide_due_runs(
        &self,
        name: &[u8],
        entry: &ScheduleEntry,
        now: UnixMs,
        most: usize,
        room: &mut u64,
        changes: &mut Vec<Change>,
    ) -> usize {
        let recurrence = entry.spec.recurrence();
        let after = |time| entry.spec.next_due(recurrence.as_ref()?, time, entry.set_at);
        let (mut next, mut progress) = (entry.next, entry.progress);
        let mut unfinished = entry.last.is_some_and(|run| self.is_unfinished(run.serial, now));
        let control = entry.spec.job.group.as_deref().and_then(|group| self.group_controls.get(group));
        let pause = control.and_then(|control| control.paused(now));
        let is_closed = pause.is_some_and(|pause| pause.pushes);
        for done in 0..most {
            let Some(due) = next.filter(|due| *due <= now) else { return most - done };
            // Once one is missed, so are all that are due by now, however late they are.
            if now - due > MISSED_AFTER_MS {
                progress.missed_until = now;
            }
            let missed = due <= progress.missed_until;
            // Where the id is known, that job is the run.
            let known = self.find(&run_id(name, due));
            let decision = match entry.spec.decide_run(missed, unfinished, progress.behind) {
                // The queue may not become longer.
                RunDecision::Run if known.is_none() && *room == 0 => RunDecision::Skip,
                // A group that takes no jobs gets none from a schedule either.
                RunDecision::Run | RunDecision::Wait if is_closed => RunDecision::Skip,
                decision => decision,
            };
            if decision == RunDecision::Wait {
                changes.push(Change::HoldSchedule { name: name.into() });
                return most - done - 1;
            }
            if decision == RunDecision::Run {
                *room -= u64::from(known.is_none());
                unfinished = known.is_none_or(|(serial, _)| self.is_unfinished(serial, now));
                progress.made = progress.made.saturating_add(1);
                changes.push(Change::RunSchedule { name: name.into(), due });
            }
            let each = entry.spec.catch_up == CatchUp::All && decision == RunDecision::Run;
            // What is left out, or stood for by one run, ends where the times begin that are not
            // missed.
            let judged = if missed && !each { progress.missed_until } else { due };
            if missed && each {
                progress.behind = progress.behind.saturating_add(1);
            } else {
                (progress.behind, progress.missed_until) = (0, 0);
            }
            next = if entry.spec.has_runs_left(progress.made) { after(judged) } else { None };
            changes.push(Change::SetNextRun { name: name.into(), next, progress });
        }
        0
    }
}

impl ScheduleSpec {
    fn decide_run(&self, missed: bool, unfinished: bool, behind: u32) -> RunDecision {
        let taken = unfinished && !self.overlap;
        match (missed, self.catch_up) {
            (true, CatchUp::Skip) => RunDecision::Skip,
            (true, CatchUp::All) if behind >= MAX_CATCH_UP_RUNS => RunDecision::Skip,
            (true, CatchUp::All) if taken => RunDecision::Wait,
            _ if taken => RunDecision::Skip,
            _ => RunDecision::Run,
        }
    }
}
