//! The state of a queue.

use crate::domain::jobq::history::diary::Diary;
use crate::domain::jobq::history::event::{Event, What, Whom};
use crate::domain::jobq::ready::aging::Aging;
use crate::domain::jobq::ready::priority_lanes::{Rank, Spot};
use crate::domain::jobq::ready::ready_line::{Line, Member, Stance};
use crate::domain::jobq::ready::serving_order::Turns;
use crate::domain::jobq::ready::sorted_set::Lane;
use crate::domain::jobq::state::config::{Config, Keep};
use crate::domain::jobq::state::dependencies::{Flows, Outcome};
use crate::domain::jobq::state::id_index::Ids;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::job_id::{Automatic, Id};
use crate::domain::jobq::state::job_table::Jobs;
use crate::domain::jobq::state::lifetime::{End, Ends};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::Timetable;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::{Keys, Role};
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use std::sync::Arc;
pub(crate) mod admission;
pub(crate) mod advance;
pub(crate) mod apply;
pub(crate) mod as_of;
pub(crate) mod dependencies;
pub(crate) mod expiry;
pub(crate) mod holding;
pub(crate) mod rate;
pub(crate) mod recording;
pub(crate) mod schedule_runs;
pub(crate) mod unique_keys;

/// A queue: its jobs by serial, and the jobs of each state in their order.
///
/// A serial is never used again, so an automatic id (`#` and the serial) needs no index of its own
/// and never comes back for another job.
#[derive(Debug, Default)]
pub struct Queue {
    pub(crate) jobs: Jobs,
    pub(crate) line: Line,
    /// Of every state but [`State::Ready`], whose jobs stand in the line; those done and dead that have
    /// a KEEP of their own stand apart from those that the queue's retention is for.
    lanes: [Lane; 7],
    pub(crate) ends: Ends,
    pub(crate) keys: Keys,
    pub(crate) flows: Flows,
    /// Only ids that their pushers chose.
    ids: Ids,
    /// The latest time seen: the queue's clock never runs backwards.
    pub(crate) clock: UnixMs,
    /// Of the next push.
    pub(crate) next_serial: Serial,
    pub(crate) highest_token: u64,
    pub(crate) totals: Totals,
    pub(crate) config: Config,
    pub(crate) pause: Option<Pause>,
    /// What has been used of the rate.
    pub(crate) rate: Subject,
    pub(crate) aging: Aging,
    /// Bytes of all jobs.
    pub(crate) weight: usize,
    /// Jobs that have ended, or may end sooner than was known, since those who wait for their results were last told. No
    /// part of the state.
    pub(crate) stirred: Vec<Serial>,
    pub(crate) timetable: Timetable,
    pub(crate) diary: Diary,
}

impl Queue {
    /// The jobs of a state by time, but for those with a KEEP of their own; those that are ready have
    /// [`Queue::line`] instead.
    pub(crate) fn timed(&self, state: State) -> &Lane {
        &self.lanes[lane_of(state, End::Open)]
    }

    /// Those that have a KEEP of their own, by when they ended.
    pub(crate) fn kept(&self, state: State) -> Option<&Lane> {
        matches!(state, State::Done | State::Dead).then(|| &self.lanes[lane_of(state, End::Leaves(0))])
    }

    /// The jobs of a state in its order; those that are ready group by group.
    pub(crate) fn serials(&self, state: State) -> impl Iterator<Item = Serial> {
        let ready = (state == State::Ready).then(|| self.line.serials());
        let timed = (state != State::Ready).then(|| merged(self.timed(state), self.kept(state)));
        ready.into_iter().flatten().chain(timed.into_iter().flatten().map(|(_, serial)| serial))
    }

    /// The jobs that are ready, in the order of POP; those are left out that must wait for others of their
    /// group.
    pub(crate) fn turns(&self) -> Turns<'_> {
        Turns::of(&self.line, self.config.group_concurrency)
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
            return self.line.len();
        }
        self.timed(state).len() + self.kept(state).map_or(0, Lane::len)
    }

    /// `now` for a queue that may have seen a later time.
    pub(crate) fn clamp(&self, now: UnixMs) -> UnixMs {
        self.clock.max(now)
    }

    pub(crate) fn job(&self, serial: Serial) -> Option<&Job> {
        self.jobs.get(serial)
    }

    /// The first job of a state that a time orders, of those without a KEEP of their own.
    pub(crate) fn first(&self, state: State) -> Option<(UnixMs, Serial)> {
        self.timed(state).first().copied()
    }

    /// A job by the id that its clients use.
    pub(crate) fn find(&self, id: &[u8]) -> Option<(Serial, &Job)> {
        let serial = match id.first() {
            Some(b'#') => Automatic::serial(id)?,
            _ => self
                .ids
                .candidates(id)
                .find(|serial| self.job(*serial).is_some_and(|job| job.id() == Some(id)))?,
        };
        Some((serial, self.job(serial)?))
    }

    /// Whether there is a job with this serial or this id.
    pub(crate) fn has(&self, serial: Serial, id: Option<&[u8]>) -> bool {
        let has_serial = serial < self.next_serial && self.jobs.contains(serial);
        has_serial || id.is_some_and(|id| self.find(id).is_some())
    }

    /// Puts a job into its lane; false when the serial, the id or its role for its key is taken.
    pub(crate) fn insert(&mut self, serial: Serial, job: Job) -> bool {
        !self.has(serial, job.id()) && self.seat(serial, job)
    }

    /// As [`Queue::insert`], where nobody [has](Queue::has) the serial and the id.
    pub(crate) fn seat(&mut self, serial: Serial, job: Job) -> bool {
        let anchor = job.life().and_then(|life| life.anchor);
        let heir =
            anchor.is_some_and(|anchor| self.jobs.contains(anchor) || self.flows.heirs.contains_key(&anchor));
        if heir || job.unique().is_some_and(|unique| !self.keys.enter(serial, unique)) {
            return false;
        }
        if let Some(id) = job.id() {
            self.ids.insert(id, serial);
        }
        if let Some(anchor) = anchor {
            self.flows.heirs.insert(anchor, serial);
        }
        self.weight += job.weight();
        self.moves(serial, None, Some(&job.standing(serial)));
        self.jobs.insert(serial, job);
        true
    }

    /// Changes a job and moves it to the lane that it then belongs to.
    pub(crate) fn change(&mut self, serial: Serial, change: impl FnOnce(&mut Job)) {
        self.change_and_record(serial, None, change);
    }

    /// As [`Queue::change`], for a change that is an event.
    pub(crate) fn change_and_record(
        &mut self,
        serial: Serial,
        what: Option<What<'_>>,
        change: impl FnOnce(&mut Job),
    ) {
        let Some(job) = self.jobs.get_mut(serial) else { return };
        let before = (job.standing(serial), job.weight());
        change(job);
        if job.state != State::Active {
            job.forget_worker();
        }
        if let Some(what) = what {
            self.diary.add(self.config.events, self.clock, Whom::job(serial, job.id()), what);
        }
        let after = (job.standing(serial), job.weight());
        let has_life = job.life().is_some();
        self.weight = self.weight - before.1 + after.1;
        let sooner = after.0.may_end_before(&before.0);
        if sooner {
            self.diary.events.stir();
        }
        if sooner || (job.state.is_end() && !before.0.state.is_end()) {
            self.stirred.push(serial);
        }
        if before.0 != after.0 {
            self.moves(serial, Some(&before.0), Some(&after.0));
        }
        if before.0.state != after.0.state {
            if has_life {
                self.lives_on(serial, before.0.state, after.0.state);
            }
            match after.0.state {
                State::Done => self.note_ended(serial, None, Outcome::Done),
                State::Dead => self.note_ended(serial, None, Outcome::Dead),
                _ => {}
            }
        }
        if after.0.state.is_end() {
            self.timetable.ended(serial);
        }
    }

    /// What follows from a job's new state where it has a key, or waited for others.
    fn lives_on(&mut self, serial: Serial, from: State, to: State) {
        if from == State::Blocked {
            self.waits_no_more(serial);
        }
        match to {
            State::Active => self.key_of_popped(serial),
            State::Done | State::Dead => self.key_of_ended(serial, None),
            State::Ready | State::Delayed | State::Blocked => {}
        }
    }

    /// A job that was blocked is so no more: it is not next to its key, and no edge leads to it.
    fn waits_no_more(&mut self, serial: Serial) {
        let Some(job) = self.job(serial) else { return };
        if let Some(unique) = job.unique().filter(|unique| unique.role == Role::Next) {
            let key = Arc::clone(&unique.key);
            self.stand_back(serial, &key);
        }
        let flow = self.jobs.get_mut(serial).and_then(|job| job.flow_mut());
        if let Some(flow) = flow.filter(|flow| flow.open > 0) {
            let before = flow.clone();
            flow.open = 0;
            self.loosen(serial, &before);
        }
    }

    /// Removes a job, with what follows for others.
    pub(crate) fn remove(&mut self, serial: Serial) {
        if let Some(job) = self.take_out(serial) {
            self.key_of_ended(serial, Some(&job));
            if job.state != State::Done {
                self.note_ended(serial, Some(&job), Outcome::Gone);
            }
        }
    }

    pub(crate) fn take_out(&mut self, serial: Serial) -> Option<Job> {
        let job = self.jobs.remove(serial)?;
        self.moves(serial, Some(&job.standing(serial)), None);
        if let Some(id) = job.id() {
            self.ids.remove(id, serial);
        }
        self.weight -= job.weight();
        if !job.state.is_end() {
            self.stirred.push(serial);
        }
        self.timetable.ended(serial);
        if let Some(anchor) = job.life().and_then(|life| life.anchor) {
            self.flows.heirs.remove(&anchor);
        }
        if let Some(flow) = job.flow() {
            self.loosen(serial, flow);
        }
        Some(job)
    }

    /// A job that waited for others waits for none any more.
    pub(crate) fn unblock(&mut self, serial: Serial) {
        let now = self.clock;
        let waits_no_more = |job: &&Job| job.state == State::Blocked && !job.is_next() && job.open() == 0;
        let Some(job) = self.job(serial).filter(waits_no_more) else { return };
        let due = job.place.max(now);
        let shift = self.shift(now);
        let goes_on = if due > now { Event::Delayed.at(due) } else { Event::Ready.plain() };
        self.change_and_record(serial, Some(goes_on), |job| {
            if due > now {
                (job.state, job.at) = (State::Delayed, due);
            } else {
                job.becomes_ready(due, shift);
            }
            if let Some(life) = job.life_mut() {
                life.begin(due);
            }
        });
    }

    /// A job goes from where it stood to where it stands now; none is outside of the queue.
    fn moves(&mut self, serial: Serial, from: Option<&Standing>, to: Option<&Standing>) {
        if let Some(from) = from {
            if from.state != State::Ready {
                self.lanes[lane_of(from.state, from.end)].remove(&(from.at, serial));
            }
            self.ends.leave(serial, from.end);
        }
        if let Some(to) = to {
            if to.state != State::Ready {
                self.lanes[lane_of(to.state, to.end)].insert((to.at, serial));
            }
            self.ends.enter(serial, to.end);
        }
        // Only a POP brings a job that was here into this state.
        let active = |standing: &Standing| standing.state == State::Active;
        let served = from.is_some_and(|from| !active(from)) && to.is_some_and(active);
        let outside = Stance::default();
        let from = from.map_or(&outside, |standing| &standing.stance);
        let to = to.map_or(&outside, |standing| &standing.stance);
        self.line.moves(serial, from, to, served);
    }
}

/// Where a job stands among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    state: State,
    at: UnixMs,
    end: End,
    stance: Stance,
}

impl Standing {
    /// When time alone may end the job.
    fn may_end_at(&self) -> Option<UnixMs> {
        match (self.state, self.end) {
            (State::Active, _) => Some(self.at),
            (_, End::Expires(at)) => Some(at),
            _ => None,
        }
    }

    fn may_end_before(&self, other: &Standing) -> bool {
        self.may_end_at().is_some_and(|at| other.may_end_at().is_none_or(|other| at < other))
    }
}

/// Two lanes as one.
fn merged<'a>(one: &'a Lane, other: Option<&'a Lane>) -> impl Iterator<Item = (UnixMs, Serial)> + use<'a> {
    let mut one = one.iter().copied().peekable();
    let mut other = other.into_iter().flatten().copied().peekable();
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

/// Which of the lanes is that of a state, of jobs with a KEEP of their own or of the others.
fn lane_of(state: State, end: End) -> usize {
    let own = usize::from(matches!(end, End::Leaves(_)));
    match state {
        State::Delayed => 0,
        State::Active => 1,
        State::Done => 2 + own,
        State::Dead => 4 + own,
        State::Blocked => 6,
        State::Ready => unreachable!("the ready stand in the line"),
    }
}

impl Job {
    fn standing(&self, serial: Serial) -> Standing {
        let member = self.group().filter(|_| !matches!(self.state, State::Done | State::Dead));
        let member = member.map(|group| Member {
            group: Arc::clone(group),
            begun: self.is_begun(),
            active: self.state == State::Active,
        });
        let spot = (self.state == State::Ready).then(|| Spot {
            rank: self.rank(),
            lifo: self.is_lifo(),
            since: self.at,
            serial,
        });
        Standing { state: self.state, at: self.at, end: self.end(), stance: Stance { spot, member } }
    }

    /// The id that clients use for this job.
    pub(crate) fn shown_id(&self, serial: Serial) -> Id<'_> {
        self.id().map_or_else(|| Id::Automatic(Automatic::of(serial)), Id::from)
    }
}
