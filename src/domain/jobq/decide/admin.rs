//! CANCEL, REDRIVE and PURGE: what an operator does with jobs, in bounded steps.

use crate::domain::decision::Decision;
use crate::domain::jobq::decide::batch::with_changes;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::view::filter::JobFilter;
use crate::domain::time::UnixMs;
use std::collections::HashSet;
use std::sync::Arc;

/// How many jobs one REDRIVE or PURGE looks at.
const SCAN_LIMIT: usize = 10_000;

/// How many jobs those of one REDRIVE may wait for again, all together.
const MAX_EDGES_PER_REDRIVE: usize = 10_000;

/// The answer of CANCEL for one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// There is no such job, or it has ended.
    Gone,
    Removed,
    /// It is active: its worker is told when it extends its lease, and it is not tried again.
    Flagged,
}

/// Decides a CANCEL, each job by itself.
pub fn decide_cancel(queue: Option<&Queue>, ids: &[&[u8]], now: UnixMs) -> Decision<Vec<Cancelled>, Effect> {
    let (mut answers, mut changes, mut removed) = (Vec::with_capacity(ids.len()), Vec::new(), HashSet::new());
    for id in ids {
        let found = queue.and_then(|queue| queue.find(id)).filter(|(serial, _)| !removed.contains(serial));
        answers.push(match found {
            Some((serial, job)) if job.waits() => {
                removed.insert(serial);
                changes.push(Change::Remove { serial });
                Cancelled::Removed
            }
            Some((serial, job)) if job.state == State::Active => {
                if !job.is_cancelled() {
                    changes.push(Change::RequestCancel { serial });
                }
                Cancelled::Flagged
            }
            _ => Cancelled::Gone,
        });
    }
    with_changes(answers, changes, queue.map_or(now, |queue| queue.clamp(now)))
}

/// A REDRIVE.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redrive<'a> {
    /// Only these jobs; `None` is all.
    pub ids: Option<&'a [&'a [u8]]>,
    /// Only jobs that failed like this.
    pub filter: JobFilter<'a>,
    /// Only jobs that ended at least this many milliseconds ago.
    pub older: u64,
    /// Redrives jobs that are done, in place of dead ones.
    pub done: bool,
    pub limit: usize,
}

/// How many jobs were moved or removed, and how many are left in the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub moved: usize,
    pub left: usize,
}

/// Decides a REDRIVE: makes jobs that have ended ready again with all of their retries, the oldest
/// first.
///
/// A job whose key another job holds stays as it is.
pub fn decide_redrive(queue: Option<&Queue>, redrive: &Redrive<'_>, now: UnixMs) -> Decision<Moved, Effect> {
    let Some(queue) = queue else { return Decision::answer(Moved::default()) };
    let now = queue.clamp(now);
    let state = if redrive.done { State::Done } else { State::Dead };
    let mut candidates = Candidates { queue, now, keys: HashSet::new(), edges: 0 };
    let is_wanted = |job: BorrowedJob<'_>| {
        job.state == state
            && job.at.saturating_add(redrive.older) <= now
            && redrive.filter.matches(job.error(), job.kind())
    };
    let mut serials: Vec<Serial> = Vec::new();
    if let Some(ids) = redrive.ids {
        let mut taken = HashSet::new();
        for (serial, job) in ids.iter().filter_map(|id| queue.find(id)) {
            if serials.len() < redrive.limit
                && is_wanted(job)
                && candidates.admit(serial, job)
                && taken.insert(serial)
            {
                serials.push(serial);
            }
        }
    } else {
        let mut looks = SCAN_LIMIT;
        for serial in queue.serials(state) {
            if serials.len() == redrive.limit || looks == 0 {
                break;
            }
            let Some(job) = queue.job(serial) else { continue };
            looks = looks.saturating_sub(redrive.filter.cost(job.error()));
            if is_wanted(job) && candidates.admit(serial, job) {
                serials.push(serial);
            }
        }
    }
    let moved = Moved { moved: serials.len(), left: queue.count(state) - serials.len() };
    if serials.is_empty() {
        return Decision::answer(moved);
    }
    Decision::change(moved, Effect { now, change: Change::Redrive { serials } })
}

/// The jobs of one REDRIVE so far.
struct Candidates<'q> {
    queue: &'q Queue,
    now: UnixMs,
    /// The keys that they take.
    keys: HashSet<Arc<[u8]>>,
    /// How many jobs they wait for again, all together.
    edges: usize,
}

impl Candidates<'_> {
    /// Whether the job may be redriven beside those before it.
    fn admit(&mut self, serial: Serial, job: BorrowedJob<'_>) -> bool {
        // While its dependents are being notified of its end, it must not come back: the rest of
        // them would be told that a living job had ended.
        let is_notifying = self.queue.dependency_graph.ended.contains_key(&job.root(serial));
        if is_notifying || !self.queue.may_reacquire_key(job, self.now) {
            return false;
        }
        self.edges += job.dependencies().map_or(0, |dependencies| dependencies.after.len());
        self.edges <= MAX_EDGES_PER_REDRIVE
            && job.unique().is_none_or(|unique| self.keys.insert(Arc::clone(&unique.key)))
    }
}

/// A PURGE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge<'a> {
    pub state: State,
    /// Only jobs that failed like this.
    pub filter: JobFilter<'a>,
    /// Only jobs that have been in the state for at least this many milliseconds.
    pub older: u64,
    pub limit: usize,
}

/// Decides a PURGE: removes the oldest jobs of a state.
pub fn decide_purge(queue: Option<&Queue>, purge: &Purge<'_>, now: UnixMs) -> Decision<Moved, Effect> {
    let Some(queue) = queue else { return Decision::answer(Moved::default()) };
    let now = queue.clamp(now);
    let is_wanted = |job: BorrowedJob<'_>| {
        // A delayed job is ordered by when it is due, which says nothing about its age.
        let since = if purge.state == State::Delayed { job.created } else { job.at };
        since.saturating_add(purge.older) <= now && purge.filter.matches(job.error(), job.kind())
    };
    let (mut changes, mut looks) = (Vec::new(), SCAN_LIMIT);
    for serial in queue.serials(purge.state) {
        if changes.len() == purge.limit || looks == 0 {
            break;
        }
        let Some(job) = queue.job(serial) else { continue };
        looks = looks.saturating_sub(purge.filter.cost(job.error()));
        if is_wanted(job) {
            changes.push(Change::Purge { serial });
        }
    }
    let moved = Moved { moved: changes.len(), left: queue.count(purge.state) - changes.len() };
    with_changes(moved, changes, now)
}
