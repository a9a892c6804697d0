//! What the schedules of a queue make due: runs, each pushed as a job of the id `name@due_ms`.
//!
//! Only a primary asks; it is the one who knows the time zones. What it finds are changes that hold the times, so
//! that whoever applies them needs no calendar.

use crate::domain::calendar::cron::Schedule;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::effect::Change;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::as_of::state_at;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::{CatchUp, Entry, Terms};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::{MINUTE, UnixMs};

/// A run that is later than this is missed.
pub const MISSED_AFTER: u64 = MINUTE;
/// The most missed runs that are made one after the other; the others are left out.
pub const MOST_CAUGHT_UP: u32 = 1_000;

/// The most judgements at once: each asks the calendar.
const JUDGEMENTS: usize = 50;
/// The most judgements of one schedule at once.
const OF_ONE: usize = 8;

/// The id of a run.
pub(crate) fn run_id(name: &[u8], due: UnixMs) -> Box<[u8]> {
    [name, format!("@{due}").as_bytes()].concat().into()
}

impl Terms {
    /// When they are due; `None` when this build knows the pattern or the zone no more.
    pub(crate) fn schedule(&self) -> Option<Schedule> {
        Schedule::parse(&self.pattern, Zone::named(&self.zone)?).ok()
    }
}

/// What is to be done about a time that has come.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Run,
    /// Not this time.
    LeaveOut,
    /// When the last run has ended.
    Wait,
}

/// Where a schedule stands while it is judged.
struct Standing {
    next: Option<UnixMs>,
    behind: u32,
    unfinished: bool,
}

impl Queue {
    /// When a schedule is due next.
    pub fn next_run(&self) -> Option<UnixMs> {
        let first = self.timetable.first_due()?;
        match self.pause.filter(|pause| pause.pushes) {
            Some(Pause { until, .. }) => until.map(|until| until.max(first)),
            None => Some(first),
        }
    }

    /// What the schedules make due by `now`, in bounded steps: some may be left for the next time.
    pub(crate) fn runs_due(&self, now: UnixMs) -> Vec<Change> {
        let mut changes = Vec::new();
        // What is due while the queue takes no jobs is missed.
        if self.paused(now).is_some_and(|pause| pause.pushes) {
            return changes;
        }
        let (mut left, mut room) = (JUDGEMENTS, self.length_left());
        for (name, entry) in self.timetable.due(now) {
            if left == 0 {
                break;
            }
            let asked = OF_ONE.min(left);
            left -= asked - self.judge(name, entry, now, asked, &mut room, &mut changes);
        }
        changes
    }

    /// Whether the last run has not ended yet.
    pub(crate) fn is_unfinished(&self, serial: Serial, now: UnixMs) -> bool {
        let state = self.job(serial).and_then(|job| state_at(self, job, now));
        state.is_some_and(|state| !state.is_end())
    }

    /// Judges a schedule, at most so many times; how many of them were not needed.
    fn judge(
        &self,
        name: &[u8],
        entry: &Entry,
        now: UnixMs,
        most: usize,
        room: &mut u64,
        changes: &mut Vec<Change>,
    ) -> usize {
        let schedule = entry.terms.schedule();
        let after = |time: UnixMs| schedule.as_ref().and_then(|schedule| schedule.next_after(time));
        let mut standing = Standing {
            next: entry.next,
            behind: entry.behind,
            unfinished: entry.last.is_some_and(|run| self.is_unfinished(run.serial, now)),
        };
        for done in 0..most {
            let Some(due) = standing.next.filter(|due| *due <= now) else { return most - done };
            let missed = now - due > MISSED_AFTER;
            // Where the id is known, that job is the run.
            let known = self.find(&run_id(name, due));
            let verdict = match entry.terms.verdict(&standing, missed) {
                // The queue may not become longer.
                Verdict::Run if known.is_none() && *room == 0 => Verdict::LeaveOut,
                verdict => verdict,
            };
            if verdict == Verdict::Wait {
                changes.push(Change::Hold { name: name.into() });
                return most - done - 1;
            }
            if verdict == Verdict::Run {
                *room -= u64::from(known.is_none());
                standing.unfinished = known.is_none_or(|(serial, _)| self.is_unfinished(serial, now));
                changes.push(Change::Run { name: name.into(), due });
            }
            let each = entry.terms.catch_up == CatchUp::All && verdict == Verdict::Run;
            standing.behind = if each && missed { standing.behind.saturating_add(1) } else { 0 };
            // What is left out or stood for ends where the times begin that are not missed.
            standing.next = after(if missed && !each { now - MISSED_AFTER - 1 } else { due });
            changes.push(Change::Next { name: name.into(), next: standing.next, behind: standing.behind });
        }
        0
    }
}

impl Terms {
    fn verdict(&self, standing: &Standing, missed: bool) -> Verdict {
        let taken = standing.unfinished && !self.overlap;
        match (missed, self.catch_up) {
            (true, CatchUp::Skip) => Verdict::LeaveOut,
            (true, CatchUp::All) if standing.behind >= MOST_CAUGHT_UP => Verdict::LeaveOut,
            (true, CatchUp::All) if taken => Verdict::Wait,
            _ if taken => Verdict::LeaveOut,
            _ => Verdict::Run,
        }
    }
}
