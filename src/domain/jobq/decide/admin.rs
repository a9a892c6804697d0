//! CANCEL, REDRIVE and PURGE: what an operator does with jobs, in bounded steps.

use crate::domain::decision::Decision;
use crate::domain::jobq::decide::batch::with_changes;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::HashSet;
use std::sync::Arc;

/// How many jobs one REDRIVE looks at, where it looks for an error.
const SCAN_LIMIT: usize = 10_000;

/// How many jobs those of one REDRIVE may wait for again, all together.
const MAX_EDGES_PER_REDRIVE: usize = 10_000;

/// What CANCEL answers for a job.
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

/// Which dead jobs a REDRIVE is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redrive<'a> {
    /// None is all.
    pub ids: Option<&'a [&'a [u8]]>,
    /// Only those whose error begins with this.
    pub error: Option<&'a [u8]>,
    pub limit: usize,
}

/// How many jobs were moved or removed, and how many are left in the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub moved: usize,
    pub left: usize,
}

/// Decides a REDRIVE: dead jobs, the oldest first, are ready again with all of their retries. Those whose key another
/// job has stay dead.
pub fn decide_redrive(queue: Option<&Queue>, redrive: &Redrive<'_>, now: UnixMs) -> Decision<Moved, Effect> {
    let Some(queue) = queue else { return Decision::answer(Moved::default()) };
    let now = queue.clamp(now);
    let (mut keys, mut after) = (HashSet::new(), 0);
    let mut fits = |job: &Job| {
        let error = job.error().unwrap_or_default();
        job.state == State::Dead
            && redrive.error.is_none_or(|prefix| error.starts_with(prefix))
            && queue.may_reacquire_key(job, now)
            && job.dependencies().is_none_or(|dependencies| {
                after += dependencies.after.len();
                after <= MAX_EDGES_PER_REDRIVE
            })
            && job.unique().is_none_or(|unique| keys.insert(Arc::clone(&unique.key)))
    };
    // Those that wait for it are still being told that it is dead: they would be told so of a job that is not.
    let is_being_told = |serial, job: &Job| queue.dependency_graph.ended.contains_key(&job.root(serial));
    let serials: Vec<Serial> = match redrive.ids {
        Some(ids) => {
            let mut taken = HashSet::new();
            let found = ids.iter().filter_map(|id| queue.find(id));
            let found = found
                .filter(|(serial, job)| !is_being_told(*serial, job) && taken.insert(*serial) && fits(job));
            found.map(|(serial, _)| serial).take(redrive.limit).collect()
        }
        None => {
            let dead = queue.serials(State::Dead).take(SCAN_LIMIT);
            let fits = |serial: &Serial| {
                queue.job(*serial).is_some_and(|job| !is_being_told(*serial, job) && fits(job))
            };
            dead.filter(fits).take(redrive.limit).collect()
        }
    };
    let moved = Moved { moved: serials.len(), left: queue.count(State::Dead) - serials.len() };
    if serials.is_empty() {
        return Decision::answer(moved);
    }
    Decision::change(moved, Effect { now, change: Change::Redrive { serials } })
}

/// Decides a PURGE: the oldest jobs of a state that have been in it for at least `older` ms are removed.
pub fn decide_purge(
    queue: Option<&Queue>,
    state: State,
    older: u64,
    limit: usize,
    now: UnixMs,
) -> Decision<Moved, Effect> {
    let Some(queue) = queue else { return Decision::answer(Moved::default()) };
    let now = queue.clamp(now);
    let old = |job: &Job| {
        // A delayed job is ordered by when it is due, which says nothing about its age.
        let since = if state == State::Delayed { job.created } else { job.at };
        since.saturating_add(older) <= now
    };
    let lane = queue.serials(state).take(SCAN_LIMIT);
    let gone: Vec<Change> = lane
        .filter(|serial| queue.job(*serial).is_some_and(old))
        .take(limit)
        .map(|serial| Change::Purge { serial })
        .collect();
    let moved = Moved { moved: gone.len(), left: queue.count(state) - gone.len() };
    with_changes(moved, gone, now)
}
