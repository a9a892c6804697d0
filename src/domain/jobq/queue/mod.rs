//! The state of a queue.

use crate::domain::jobq::history::History;
use crate::domain::jobq::history::event::{Event, EventSubject, EventWithDetail};
use crate::domain::jobq::history::names_and_kinds::Breakdowns;
use crate::domain::jobq::ready::aging::Aging;
use crate::domain::jobq::ready::priority_lanes::{LanePosition, Rank};
use crate::domain::jobq::ready::ready_queue::{GroupMembership, ReadyPosition, ReadyQueue};
use crate::domain::jobq::ready::serving_order::{ServingOrder, StartsLeft};
use crate::domain::jobq::ready::sorted_set::TimeIndex;
use crate::domain::jobq::state::config::{Config, Keep};
use crate::domain::jobq::state::dependencies::{DependencyGraph, DependencyOutcome};
use crate::domain::jobq::state::group_controls::GroupControls;
use crate::domain::jobq::state::id_index::IdIndex;
use crate::domain::jobq::state::job::{BorrowedJob, Job};
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::job_id::{AutomaticId, JobId};
use crate::domain::jobq::state::job_table::JobTable;
use crate::domain::jobq::state::lifetime::{Deadlines, JobDeadline};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::Schedules;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::{KeyRole, UniqueKeys};
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use std::cell::Cell;
use std::sync::Arc;
pub(crate) mod admission;
pub(crate) mod advance;
pub(crate) mod apply;
pub(crate) mod as_of;
pub(crate) mod counting;
pub(crate) mod dependencies;
pub(crate) mod expiry;
pub(crate) mod fencing;
pub(crate) mod group_control;
pub(crate) mod growth;
pub(crate) mod recording;
pub(crate) mod schedule_runs;
pub(crate) mod unique_keys;

/// From which serial on a server may push since its last start or promotion.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PushesOf {
    /// See [`TokenClock::reign`](crate::domain::token::TokenClock::reign).
    pub reign: u64,
    pub from: Serial,
}

/// A queue: its jobs by serial, and the jobs of each state in their order.
///
/// A serial is never used again, so an automatic id (`#`, the serial and the time of the push)
/// needs no index of its own and never comes back for another job.
#[derive(Debug, Default)]
pub struct Queue {
    pub(crate) jobs: JobTable,
    pub(crate) ready: ReadyQueue,
    /// One index for every state except [`State::Ready`], whose jobs are in `ready`. Done and dead
    /// jobs with a KEEP of their own have separate indexes, because the queue's retention does not
    /// apply to them.
    time_indexes: [TimeIndex; 7],
    pub(crate) deadlines: Deadlines,
    pub(crate) keys: UniqueKeys,
    pub(crate) dependency_graph: DependencyGraph,
    /// Only ids that their pushers chose.
    ids: IdIndex,
    /// The latest time seen: the queue's clock never runs backwards.
    pub(crate) clock: UnixMs,
    /// Of the next push.
    pub(crate) next_serial: Serial,
    /// Not saved.
    pub(crate) pushes_of: Cell<PushesOf>,
    pub(crate) highest_token: u64,
    pub(crate) totals: Totals,
    pub(crate) config: Config,
    pub(crate) pause: Option<Pause>,
    /// What has been used of the rate.
    pub(crate) rate: Subject,
    pub(crate) aging: Aging,
    /// Bytes of all jobs.
    pub(crate) job_bytes: usize,
    /// Jobs that ended, or whose earliest end moved forward, since waiters were last notified. Not
    /// saved.
    pub(crate) changed_jobs: Vec<Serial>,
    pub(crate) schedules: Schedules,
    pub(crate) group_controls: GroupControls,
    pub(crate) history: History,
    pub(crate) breakdowns: Breakdowns,
}

impl Queue {
    /// The jobs of a state by time, but for those with a KEEP of their own; those that are ready
    /// have [`Queue::ready`] instead.
    pub(crate) fn by_time(&self, state: State) -> &TimeIndex {
        &self.time_indexes[time_index_of(state, JobDeadline::None)]
    }

    /// Those that have a KEEP of their own, by when they ended.
    pub(crate) fn with_own_keep(&self, state: State) -> Option<&TimeIndex> {
        matches!(state, State::Done | State::Dead)
            .then(|| &self.time_indexes[time_index_of(state, JobDeadline::Retention(0))])
    }

    /// The jobs of a state in its order; those that are ready group by group.
    pub(crate) fn serials(&self, state: State) -> impl Iterator<Item = Serial> {
        let ready = (state == State::Ready).then(|| self.ready.serials());
        let timed =
            (state != State::Ready).then(|| merge_by_time(self.by_time(state), self.with_own_keep(state)));
        ready.into_iter().flatten().chain(timed.into_iter().flatten().map(|(_, serial)| serial))
    }

    /// The jobs that POP may hand out, in order. Jobs that must wait for others of their group are
    /// left out.
    pub(crate) fn serving_order(&self, now: UnixMs) -> ServingOrder<'_> {
        let starts_left: StartsLeft<'_> = match self.config.group_rate {
            Some(_) => Some(Box::new(move |group| self.group_starts_left(group, now))),
            None => None,
        };
        ServingOrder::of(&self.ready, self.config.group_concurrency, starts_left)
    }

    /// How long the jobs of a state are kept, and how many.
    pub(crate) fn keep(&self, state: State) -> Keep {
        if state == State::Dead { self.config.keep_dead } else { self.config.keep_done }
    }

    /// What aging adds to the priority of a job that becomes ready at `at`.
    pub(crate) fn shift(&self, at: UnixMs) -> Rank {
        self.aging.shift(self.config.aging, at)
    }

    /// How many jobs are in a state, as far as the queue has advanced.
    pub fn count(&self, state: State) -> usize {
        if state == State::Ready {
            return self.ready.len();
        }
        self.by_time(state).len() + self.with_own_keep(state).map_or(0, TimeIndex::len)
    }

    /// `now` for a queue that may have seen a later time.
    pub(crate) fn clamp(&self, now: UnixMs) -> UnixMs {
        self.clock.max(now)
    }

    #[inline]
    pub(crate) fn job(&self, serial: Serial) -> Option<BorrowedJob<'_>> {
        self.jobs.get(serial)
    }

    /// The first job of a state that a time orders, of those without a KEEP of their own.
    pub(crate) fn first(&self, state: State) -> Option<(UnixMs, Serial)> {
        self.by_time(state).first().copied()
    }

    /// A job by the id that its clients use.
    pub(crate) fn find(&self, id: &[u8]) -> Option<(Serial, BorrowedJob<'_>)> {
        if id.first() == Some(&b'#') {
            let (serial, created) = AutomaticId::parse(id)?;
            let job = self.job(serial).filter(|job| job.id().is_none() && job.created == created)?;
            return Some((serial, job));
        }
        self.ids.candidates(id).find_map(|serial| {
            let job = self.job(serial).filter(|job| job.id() == Some(id))?;
            Some((serial, job))
        })
    }

    /// Whether there is a job with this serial or this id.
    pub(crate) fn has(&self, serial: Serial, id: Option<&[u8]>) -> bool {
        let has_serial = serial < self.next_serial && self.jobs.contains(serial);
        has_serial || id.is_some_and(|id| self.find(id).is_some())
    }

    /// Adds a job. Returns false if the serial, the id or its role for its key is taken.
    pub(crate) fn insert(&mut self, serial: Serial, job: Job) -> bool {
        !self.has(serial, job.read().id()) && self.insert_unchecked(serial, job)
    }

    /// Like [`Queue::insert`], but the caller has checked that neither the serial nor the id is
    /// [taken](Queue::has).
    pub(crate) fn insert_unchecked(&mut self, serial: Serial, mut job: Job) -> bool {
        let root = job.read().lifetime().and_then(|lifetime| lifetime.root);
        let replaced_by = &self.dependency_graph.replaced_by;
        // A job may give its root away while it is there: only one job has a root.
        let is_root_taken = match root {
            Some(root) => {
                let owner = self.job(root).filter(|job| job.root(root) == root);
                owner.is_some() || replaced_by.contains_key(&root)
            }
            None => replaced_by.contains_key(&serial),
        };
        if is_root_taken || job.read().unique().is_some_and(|unique| !self.keys.insert(serial, unique)) {
            return false;
        }
        if let Some(id) = job.read().id() {
            self.ids.insert(id, serial);
        }
        if let Some(root) = root {
            self.dependency_graph.replaced_by.insert(root, serial);
        }
        self.job_bytes += job.read().memory_bytes();
        let state = job.state;
        self.breakdowns.move_job(&mut job, None, Some(state), self.clock);
        self.reindex(serial, None, Some(&job.read().index_key(serial)));
        self.jobs.insert(serial, job);
        true
    }

    /// Changes a job and moves it to the index that it then belongs to.
    pub(crate) fn change(&mut self, serial: Serial, change: impl FnOnce(&mut Job)) {
        self.change_and_log(serial, None, change);
    }

    /// Like [`Queue::change`], but logs the change as an event.
    pub(crate) fn change_and_log(
        &mut self,
        serial: Serial,
        what: Option<EventWithDetail<'_>>,
        change: impl FnOnce(&mut Job),
    ) {
        let Some(mut job) = self.jobs.get_mut(serial) else { return };
        let before = (job.read().index_key(serial), job.read().memory_bytes());
        change(&mut job);
        if job.state != State::Active {
            job.clear_worker();
        }
        let state = job.state;
        if state != before.0.state {
            self.breakdowns.move_job(&mut job, Some(before.0.state), Some(state), self.clock);
        }
        if let Some(what) = what {
            self.history.add(self.config.events, self.clock, EventSubject::job(serial, job.read()), what);
        }
        let after = (job.read().index_key(serial), job.read().memory_bytes());
        let has_life = job.read().lifetime().is_some();
        drop(job);
        self.job_bytes = self.job_bytes - before.1 + after.1;
        let sooner = after.0.may_end_before(&before.0);
        if sooner {
            self.history.events.note_change();
        }
        if sooner || (after.0.state.is_end() && !before.0.state.is_end()) {
            self.changed_jobs.push(serial);
        }
        if before.0 != after.0 {
            self.reindex(serial, Some(&before.0), Some(&after.0));
        }
        if before.0.state != after.0.state {
            if has_life {
                self.after_state_change(serial, before.0.state, after.0.state);
            }
            match after.0.state {
                State::Done => self.note_ended(serial, None, DependencyOutcome::Done),
                State::Dead => self.note_ended(serial, None, DependencyOutcome::Dead),
                _ => {}
            }
        }
        if after.0.state.is_end() {
            self.schedules.release_held_by(serial);
        }
    }

    /// Updates the key and the dependencies of a job after its state has changed.
    fn after_state_change(&mut self, serial: Serial, from: State, to: State) {
        if matches!(from, State::Blocked | State::Dead) {
            self.clear_dependencies(serial);
        }
        match to {
            State::Active => self.update_key_after_pop(serial),
            State::Done | State::Dead => self.update_key_after_end(serial, None),
            State::Ready | State::Delayed | State::Blocked => {}
        }
    }

    /// Clears what blocked the job: its place as next holder of its key, and its dependency edges.
    /// A job that goes on also forgets what it waited for.
    fn clear_dependencies(&mut self, serial: Serial) {
        let Some(job) = self.job(serial) else { return };
        let state = job.state;
        if let Some(unique) = job.unique().filter(|unique| unique.role == KeyRole::Next) {
            let key = Arc::clone(&unique.key);
            self.abandon_next(serial, &key);
        }
        let dependencies = self.jobs.lifetime_mut(serial).and_then(|lifetime| lifetime.dependencies.as_mut());
        if let Some(dependencies) = dependencies.filter(|dependencies| dependencies.open > 0) {
            let before = dependencies.clone();
            dependencies.open = 0;
            self.cancel_edges(serial, &before);
        }
        if !matches!(state, State::Blocked | State::Dead)
            && let Some(lifetime) = self.jobs.lifetime_mut(serial)
        {
            // It goes on: what it waited for no longer concerns it.
            let before = lifetime.memory_bytes();
            lifetime.dependencies = None;
            self.job_bytes = self.job_bytes - before + lifetime.memory_bytes();
        }
    }

    /// Removes a job, releases its key and notifies its dependents.
    pub(crate) fn remove(&mut self, serial: Serial) {
        if let Some(job) = self.detach(serial) {
            self.update_key_after_end(serial, Some(job.read()));
            if job.state != State::Done {
                self.note_ended(serial, Some(job.read()), DependencyOutcome::Gone);
            }
        }
    }

    pub(crate) fn detach(&mut self, serial: Serial) -> Option<Job> {
        let mut job = self.jobs.remove(serial)?;
        let state = job.state;
        self.breakdowns.move_job(&mut job, Some(state), None, self.clock);
        self.reindex(serial, Some(&job.read().index_key(serial)), None);
        if let Some(id) = job.read().id() {
            self.ids.remove(id, serial);
        }
        self.job_bytes -= job.read().memory_bytes();
        if !job.state.is_end() {
            self.changed_jobs.push(serial);
        }
        self.schedules.release_held_by(serial);
        if let Some(root) = job.read().lifetime().and_then(|lifetime| lifetime.root) {
            self.dependency_graph.replaced_by.remove(&root);
        }
        if let Some(dependencies) = job.read().dependencies() {
            self.cancel_edges(serial, dependencies);
        }
        Some(job)
    }

    /// Makes a blocked job ready or delayed if nothing blocks it any more.
    pub(crate) fn unblock(&mut self, serial: Serial) {
        let now = self.clock;
        let waits_no_more =
            |job: &BorrowedJob<'_>| job.state == State::Blocked && !job.is_next() && job.open() == 0;
        let Some(job) = self.job(serial).filter(waits_no_more) else { return };
        let due = job.ready_at.max(now);
        let shift = self.shift(now);
        let goes_on = if due > now { Event::Delayed.at_time(due) } else { Event::Ready.plain() };
        self.change_and_log(serial, Some(goes_on), |job| {
            if due > now {
                (job.state, job.at) = (State::Delayed, due);
            } else {
                job.make_ready(due, shift);
            }
            if let Some(lifetime) = job.lifetime_mut() {
                lifetime.start_expiry(due);
            }
        });
    }

    /// Moves the job between the state indexes. `None` means "not in the queue".
    fn reindex(&mut self, serial: Serial, from: Option<&IndexKey>, to: Option<&IndexKey>) {
        if let Some(from) = from {
            if from.state != State::Ready {
                self.time_indexes[time_index_of(from.state, from.end)].remove(&(from.at, serial));
            }
            self.deadlines.remove(serial, from.end);
        }
        if let Some(to) = to {
            if to.state != State::Ready {
                self.time_indexes[time_index_of(to.state, to.end)].insert((to.at, serial));
            }
            self.deadlines.insert(serial, to.end);
        }
        // Only a POP makes a job active that was in the queue.
        let active = |index_key: &IndexKey| index_key.state == State::Active;
        let served = from.is_some_and(|from| !active(from)) && to.is_some_and(active);
        let outside = ReadyPosition::default();
        let from = from.map_or(&outside, |index_key| &index_key.ready_position);
        let to = to.map_or(&outside, |index_key| &index_key.ready_position);
        self.ready.reposition(serial, from, to, served);
    }
}

/// Where a job is in the indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct IndexKey {
    state: State,
    at: UnixMs,
    end: JobDeadline,
    ready_position: ReadyPosition,
}

impl IndexKey {
    /// When time alone may end the job.
    fn may_end_at(&self) -> Option<UnixMs> {
        match (self.state, self.end) {
            (State::Active, _) => Some(self.at),
            (_, JobDeadline::Expiry(at)) => Some(at),
            _ => None,
        }
    }

    fn may_end_before(&self, other: &IndexKey) -> bool {
        self.may_end_at().is_some_and(|at| other.may_end_at().is_none_or(|other| at < other))
    }
}

/// Two lanes as one.
fn merge_by_time<'a>(
    one: &'a TimeIndex,
    other: Option<&'a TimeIndex>,
) -> impl Iterator<Item = (UnixMs, Serial)> + use<'a> {
    let mut one = one.iter().copied().peekable();
    let mut other = other.into_iter().flatten().copied().peekable();
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

/// Which of the lanes is that of a state, of jobs with a KEEP of their own or of the others.
fn time_index_of(state: State, end: JobDeadline) -> usize {
    let own = usize::from(matches!(end, JobDeadline::Retention(_)));
    match state {
        State::Delayed => 0,
        State::Active => 1,
        State::Done => 2 + own,
        State::Dead => 4 + own,
        State::Blocked => 6,
        State::Ready => unreachable!("the ready stand in the line"),
    }
}

impl<'j> BorrowedJob<'j> {
    fn index_key(self, serial: Serial) -> IndexKey {
        let member = self.group().filter(|_| !matches!(self.state, State::Done | State::Dead));
        let member = member.map(|group| GroupMembership {
            group: Arc::clone(group),
            started: self.is_started(),
            active: self.state == State::Active,
            batch: self.batch(),
        });
        let lane_position = (self.state == State::Ready).then(|| LanePosition {
            rank: self.rank(),
            lifo: self.is_lifo(),
            since: self.at,
            serial,
            bytes: u32::try_from(self.payload().len()).unwrap_or(u32::MAX),
        });
        IndexKey {
            state: self.state,
            at: self.at,
            end: self.deadline(),
            ready_position: ReadyPosition { lane_position, member },
        }
    }

    /// The id that clients use for this job.
    pub(crate) fn shown_id(self, serial: Serial) -> JobId<'j> {
        self.id().map_or_else(|| JobId::Automatic(AutomaticId::of(serial, self.created)), JobId::from)
    }
}
