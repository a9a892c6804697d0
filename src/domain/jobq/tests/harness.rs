//! A queue and its replica, with the commands as methods, for the tests.

use crate::domain::codec::Corrupt;
use crate::domain::decision::Decision;
use crate::domain::jobq::decide::settle::Failed;
use crate::domain::jobq::ready::group_index::{RingPosition, RunBounds};
use crate::domain::jobq::ready::priority_lanes::{LanePosition, PriorityLanes};
use crate::domain::jobq::ready::ready_queue::GroupRule;
use crate::domain::jobq::state::dependencies::Dependencies;
use crate::domain::jobq::state::group_controls::GroupControl;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::lifetime::JobDeadline;
use crate::domain::jobq::state::unique_keys::{KeyHolder, UniqueKeys};
use crate::domain::jobq::tests::breakdown::check_rows;
use crate::domain::jobq::*;
use crate::domain::refusal::Refusal;
use crate::domain::testing::primary_and_replica::PrimaryAndReplica;
use crate::domain::testing::saved_form;
pub(crate) use crate::domain::testing::saved_form::{blocks, saved};
use crate::domain::time::UnixMs;
use crate::domain::token::{EPOCH_MS, TokenClock};
use crate::domain::value::{Effect as _, Value};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const START: UnixMs = EPOCH_MS + 1_000_000;

pub(crate) type World = PrimaryAndReplica<Queue>;

impl World {
    pub fn new() -> Self {
        World::at(START)
    }

    /// A command that changes nothing of its own, so that only what is due happens.
    pub fn advance(&mut self) {
        self.run(|_, _, _| Ok(Decision::answer(()))).expect("never refused");
    }

    pub fn push(&mut self, push: &Push<'_>) -> Pushed {
        self.try_push(push).expect("not refused")
    }

    pub fn try_push(&mut self, push: &Push<'_>) -> Result<Pushed, Refusal> {
        self.run(|queue, now, tokens| decide_push(queue, push, now, tokens))
    }

    pub fn configure(&mut self, field: &str, value: &str) {
        let change = |config: &mut Config| config.set(field.as_bytes(), value.as_bytes());
        self.run(|queue, now, _| decide_configure(queue, change, now)).expect("a good value");
    }

    /// `None` is to resume.
    pub fn pause(&mut self, pause: Option<(Option<u64>, bool)>) {
        self.run(|queue, now, _| {
            Ok(match pause {
                Some((length, pushes)) => decide_pause(queue, length, pushes, now),
                None => decide_resume(queue, now),
            })
        })
        .expect("never refused");
    }

    /// `None` is to resume.
    pub fn pause_group(&mut self, group: &[u8], pause: Option<(Option<u64>, bool)>) {
        self.run(|queue, now, _| match pause {
            Some((length, pushes)) => decide_pause_group(queue, group, length, pushes, now),
            None => Ok(decide_resume_group(queue, group, now)),
        })
        .expect("few groups");
    }

    pub fn set_group(&mut self, group: &[u8], concurrency: Option<u32>) {
        self.run(|queue, now, _| decide_set_group(queue, group, concurrency, now)).expect("few groups");
    }

    pub fn pop(&mut self, count: usize, lease: Option<u64>) -> Vec<Popped<'static>> {
        self.pop_as(&Pop { count, lease, ..Pop::default() })
    }

    pub fn pop_as(&mut self, pop: &Pop<'_>) -> Vec<Popped<'static>> {
        let owned = |d: Decision<PoppedJobs<'_>, Effect>| Decision {
            reply: d.reply.into_iter().map(Popped::into_owned).collect(),
            effect: d.effect,
        };
        let decide = |queue: Option<&Queue>, now, tokens: &TokenClock| {
            let decision = decide_pop(queue, pop, now, tokens);
            replays(queue, pop, now, decision.effect.as_ref());
            Ok(owned(decision))
        };
        self.run(decide).expect("never refused")
    }

    /// The one job that must be there.
    pub fn pop_one(&mut self) -> Popped<'static> {
        let mut popped = self.pop(1, Some(100));
        assert_eq!(popped.len(), 1, "a job to pop");
        popped.remove(0)
    }

    pub fn ack(&mut self, id: &[u8], token: u64) -> Result<(), Refusal> {
        self.ack_with(id, token, None)
    }

    pub fn ack_with(&mut self, id: &[u8], token: u64, result: Option<&[u8]>) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_ack(queue, id, token, result, now))
    }

    pub fn fail(&mut self, id: &[u8], token: u64, fail: &Fail<'_>) -> Result<Failed, Refusal> {
        self.run(|queue, now, _| decide_fail(queue, id, token, fail, now))
    }

    pub fn release(&mut self, id: &[u8], token: u64, delay: u64) -> Result<(), Refusal> {
        self.release_with(id, token, delay, None)
    }

    pub fn release_with(
        &mut self,
        id: &[u8],
        token: u64,
        delay: u64,
        progress: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_release(queue, id, token, delay, progress, now))
    }

    /// An EXTEND that says how far it is.
    pub fn progress(&mut self, id: &[u8], token: u64, progress: &[u8]) -> Result<Extended, Refusal> {
        self.run(|queue, now, _| decide_extend(queue, id, token, None, Some(progress), now))
    }

    pub fn extend(&mut self, id: &[u8], token: u64, lease: Option<u64>) -> Result<Extended, Refusal> {
        self.run(|queue, now, _| decide_extend(queue, id, token, lease, None, now))
    }

    pub fn update(&mut self, id: &[u8], update: &Update<'_>) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_update(queue, id, update, now))
    }

    pub fn log(&mut self, id: &[u8], token: u64, line: &[u8]) -> Result<usize, Refusal> {
        self.run(|queue, now, _| decide_log(queue, id, token, line, now))
    }

    pub fn cancel(&mut self, ids: &[&[u8]]) -> Vec<Cancelled> {
        self.run(|queue, now, _| Ok(decide_cancel(queue, ids, now))).expect("never refused")
    }

    pub fn redrive(&mut self, redrive: &Redrive<'_>) -> Moved {
        self.run(|queue, now, _| Ok(decide_redrive(queue, redrive, now))).expect("never refused")
    }

    pub fn purge(&mut self, state: State, older: u64) -> Moved {
        let purge = Purge { state, filter: JobFilter::default(), older, limit: 10_000 };
        self.purge_by(&purge)
    }

    pub fn purge_by(&mut self, purge: &Purge<'_>) -> Moved {
        self.run(|queue, now, _| Ok(decide_purge(queue, purge, now))).expect("never refused")
    }

    pub fn set_schedule(&mut self, plan: &SetSchedule<'_>) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_set_schedule(queue, plan, now))
    }

    pub fn delete_schedule(&mut self, name: &[u8]) -> bool {
        self.run(|queue, now, _| Ok(decide_delete_schedule(queue, name, now))).expect("never refused")
    }

    pub fn run_now(&mut self, name: &[u8]) -> Result<Pushed, Refusal> {
        self.run(|queue, now, _| decide_run_schedule(queue, name, now))
    }

    pub fn queue(&self) -> &Queue {
        self.primary.as_ref().expect("a queue")
    }

    pub fn state(&self, id: &[u8]) -> State {
        job(self.primary.as_ref(), id, self.now).expect("the job").state
    }
}

/// A job without options.
pub(crate) fn plain(payload: &[u8]) -> Push<'_> {
    Push::plain(payload)
}

/// A job with an id, which is its payload too.
pub(crate) fn named(id: &[u8]) -> Push<'_> {
    Push { id: Some(id), ..plain(id) }
}

pub(crate) const FAIL: Fail<'_> =
    Fail { error: None, kind: None, progress: None, delay: None, dead: false, chance: 0 };

pub(crate) fn loaded(blocks: &[Vec<u8>]) -> Result<Queue, Corrupt> {
    saved_form::loaded(blocks)
}

/// A POP that is replicated verbatim is decided again by the queue of a replica, which may have
/// come by a file, at the same time and with the same first token.
fn replays(queue: Option<&Queue>, pop: &Pop<'_>, now: UnixMs, effect: Option<&Effect>) {
    const FEW: usize = 100;
    let Some((queue, effect)) = queue.zip(effect).filter(|(queue, _)| queue.jobs.len() <= FEW) else {
        return;
    };
    let tokens = TokenClock::after(effect.first_token() - 1);
    assert_eq!(decide_pop(Some(&reloaded(queue)), pop, now, &tokens).effect.as_ref(), Some(effect));
}

/// The same queue again, by way of its saved form.
pub(crate) fn reloaded(queue: &Queue) -> Queue {
    loaded(&saved(queue)).expect("what was saved")
}

/// The queue as it will be when all that is due by `now` has happened.
pub(crate) fn advanced(queue: &Queue, now: UnixMs) -> Queue {
    let mut queue = reloaded(queue);
    while let Some(effect) = queue.overdue(now) {
        queue.apply(effect);
    }
    queue
}

/// The id of a job that was pushed without one, at [`START`].
pub(crate) fn automatic_id(serial: u64) -> Box<[u8]> {
    automatic_id_at(serial, START)
}

pub(crate) fn automatic_id_at(serial: u64, created: UnixMs) -> Box<[u8]> {
    Box::from(&*crate::domain::jobq::state::job_id::AutomaticId::of(serial, created))
}

/// Every index against the jobs themselves.
pub(crate) fn check_indexes(queue: &Queue) {
    for state in State::ALL {
        let jobs = queue.jobs.iter().filter(|(_, job)| job.state == state);
        let mut expected: Vec<_> = jobs.collect();
        let group = |job: BorrowedJob<'_>| job.group().cloned();
        expected.sort_by_key(|(serial, job)| match state {
            State::Ready => {
                let started = group(*job).is_some() && job.is_started();
                let (fifo, at, serial) = if job.is_lifo() {
                    (0, u64::MAX - job.at, u64::MAX - *serial)
                } else {
                    (1, job.at, *serial)
                };
                (group(*job), !started, job.rank(), fifo, at, serial)
            }
            _ => (None, false, 0, 0, job.at, *serial),
        });
        let expected: Vec<_> = expected.into_iter().map(|(serial, _)| serial).collect();
        assert_eq!(queue.serials(state).collect::<Vec<_>>(), expected, "{state:?}");
        assert_eq!(queue.count(state), expected.len(), "{state:?}");
    }
    let ends = |wanted: fn(JobDeadline) -> Option<UnixMs>| {
        let ends = queue.jobs.iter().filter_map(|(serial, job)| Some((wanted(job.deadline())?, serial)));
        ends.collect::<BTreeSet<_>>()
    };
    let expires = ends(|end| if let JobDeadline::Expiry(at) = end { Some(at) } else { None });
    assert!(queue.deadlines.expiring.iter().copied().eq(expires));
    let leaves = ends(|end| if let JobDeadline::Retention(at) = end { Some(at) } else { None });
    assert!(queue.deadlines.retained.iter().copied().eq(leaves));
    check_groups(queue);
    check_rows(queue);
    let mut keys = UniqueKeys::default();
    for (key, claim) in &queue.keys.held {
        if let KeyHolder::Gone(id) = &claim.holder {
            assert!(keys.restore_orphan(key, id.clone(), claim.free_at));
        }
    }
    for (serial, job) in queue.jobs.iter() {
        assert!(job.unique().is_none_or(|unique| keys.insert(serial, unique)));
        assert_eq!(job.state == State::Blocked, job.is_next() || job.open() > 0);
        let may_have = matches!(job.state, State::Blocked | State::Dead);
        assert!(may_have || job.dependencies().is_none(), "who goes on has forgotten what it waited for");
        let edges = job.dependencies().into_iter().flat_map(|dependencies| {
            dependencies
                .after
                .iter()
                .filter(|root| queue.dependency_graph.has_edge(**root, dependencies.on_dead, serial))
        });
        if job.state == State::Blocked {
            assert_eq!(edges.count(), job.open() as usize);
        }
    }
    for (root, on_dead, child) in &queue.dependency_graph.edges {
        let job =
            queue.job(*child).filter(|job| job.state == State::Blocked).and_then(BorrowedJob::dependencies);
        let known = |dependencies: &Dependencies| {
            dependencies.after.binary_search(root).is_ok()
                && (dependencies.on_dead == OnDead::Wait) == *on_dead
        };
        assert!(queue.dependency_graph.cancelled_edges.contains_key(child) || job.is_some_and(known));
    }
    let replaced_by = queue.jobs.iter().filter_map(|(serial, job)| Some((job.lifetime()?.root?, serial)));
    assert_eq!(queue.dependency_graph.replaced_by, replaced_by.collect());
    assert_eq!((&keys.held, &keys.ends), (&queue.keys.held, &queue.keys.ends));
    check_schedule_indexes(queue);
    let weight: usize = queue.jobs.iter().map(|(_, job)| job.memory_bytes()).sum();
    assert_eq!(queue.job_bytes, weight);
    for (serial, job) in queue.jobs.iter() {
        let (found, same) = queue.find(&job.shown_id(serial)).expect("by its id");
        assert_eq!((found, same), (serial, job));
        let named = job.worker().is_some();
        assert!(!named || job.state == State::Active, "a worker holds what is active only");
        assert!(serial < queue.next_serial && job.token <= queue.highest_token);
    }
}

/// What each group knows of its jobs against the jobs themselves, and its seats in the rings.
fn check_groups(queue: &Queue) {
    let (mut unstarted, mut started) = (Vec::new(), Vec::new());
    let mut by_group: BTreeMap<&[u8], Vec<(u64, BorrowedJob<'_>)>> = BTreeMap::new();
    for (serial, job) in queue.jobs.iter() {
        if let Some(group) = job.group() {
            by_group.entry(group).or_default().push((serial, job));
        }
    }
    for (name, group) in queue.ready.groups() {
        let jobs = || by_group.get(name).into_iter().flatten().copied();
        let slot_holders: Vec<u64> =
            jobs().filter(|(_, job)| job.is_started()).map(|(serial, _)| serial).collect();
        assert_eq!(group.slot_holders.iter().copied().collect::<Vec<_>>(), slot_holders);
        let slot = |(serial, job): (u64, BorrowedJob<'_>)| {
            if job.batch() > 0 { (true, job.batch()) } else { (false, serial) }
        };
        let held: BTreeSet<_> = jobs().filter(|(_, job)| job.is_started()).map(slot).collect();
        let active: BTreeSet<_> = jobs().filter(|(_, job)| job.state == State::Active).map(slot).collect();
        assert_eq!((group.held() as usize, group.active() as usize), (held.len(), active.len()));
        let mut startable = PriorityLanes::default();
        for one in jobs().filter(|(_, job)| job.state == State::Ready && job.is_started()) {
            let (serial, job) = one;
            if !active.contains(&slot(one)) {
                let (rank, lifo, since) = (job.rank(), job.is_lifo(), job.at);
                let bytes = job.payload().len() as u32;
                startable.insert(LanePosition { rank, lifo, since, serial, bytes });
            }
        }
        assert!(group.startable.iter().eq(startable.iter()));
        assert!(
            jobs().any(|(_, job)| job.state == State::Ready) || !slot_holders.is_empty(),
            "a group of nothing"
        );
        let control = queue.group_controls.get(name);
        let own = control.and_then(|control| control.concurrency);
        let is_closed = control.is_some_and(|control| control.is_closed);
        assert_eq!((group.rule.width, group.rule.is_closed), (own, is_closed));
        let row = |lanes: &PriorityLanes, taken, run: &[(u64, BorrowedJob<'_>)]| {
            let taken = match own {
                _ if is_closed => return None,
                Some(own) if taken >= own => return None,
                Some(_) => 0,
                None => taken,
            };
            let oldest = run.iter().map(|(_, job)| job.at).min();
            let position = (lanes.first_rank()?, group.turn);
            let run = RunBounds { size: run.len() as u32, oldest: oldest? };
            Some((RingPosition { taken, position, run }, name.to_vec()))
        };
        let ready = || jobs().filter(|(_, job)| job.state == State::Ready);
        let fresh: Vec<_> = ready().filter(|(_, job)| !job.is_started()).collect();
        unstarted.extend(row(&group.unstarted, group.held(), &fresh));
        // The oldest of all that may be tried again bounds that of those that share the first slot.
        let first =
            startable.iter().next().and_then(|(_, first)| jobs().find(|(serial, _)| *serial == first));
        let shares = |one: &(u64, BorrowedJob<'_>)| {
            one.1.is_started() && first.is_some_and(|first| slot(first) == slot(*one))
        };
        let mut run: Vec<_> = ready().filter(shares).collect();
        if run.len() == jobs().filter(shares).count() {
            run.extend(&fresh);
        }
        let mut again = row(&group.startable, group.active(), &run);
        let oldest_again = startable.oldest(|_| true).into_iter();
        if let Some((place, _)) = &mut again {
            place.run.oldest = oldest_again.chain([place.run.oldest]).min().expect("one");
        }
        started.extend(again);
    }
    for (index, mut expected) in [(&queue.ready.unstarted, unstarted), (&queue.ready.started, started)] {
        expected.sort_by_key(|(place, _)| (place.taken, place.position));
        let rows = index.rows().into_iter().map(|(place, name)| (place, name.to_vec())).collect::<Vec<_>>();
        assert_eq!(rows, expected);
    }
    let payloads = queue.jobs.iter().filter(|(_, job)| job.state == State::Ready);
    assert_eq!(queue.ready.bytes(), payloads.map(|(_, job)| job.payload().len()).sum::<usize>());
    let ungrouped =
        || queue.jobs.iter().filter(|(_, job)| job.state == State::Ready && job.group().is_none());
    let lanes = &queue.ready.ungrouped;
    assert_eq!(
        (lanes.jobs(), lanes.oldest(|_| true)),
        (ungrouped().count(), ungrouped().map(|(_, job)| job.at).min())
    );
    assert!(queue.ready.is_sound());
    for (name, control) in queue.group_controls.iter() {
        let rule = GroupRule { width: control.concurrency, is_closed: control.is_closed };
        assert_eq!(queue.ready.rules().get(name).copied().unwrap_or_default(), rule);
    }
    let differ = |control: &&GroupControl| control.concurrency.is_some() || control.is_closed;
    assert_eq!(
        queue.ready.rules().len(),
        queue.group_controls.iter().map(|(_, control)| control).filter(differ).count()
    );
}

fn check_schedule_indexes(queue: &Queue) {
    let all: Vec<_> = queue.schedules.iter().map(|(_, entry)| entry).collect();
    let mut due: Vec<_> = all.iter().filter(|entry| !entry.held).filter_map(|entry| entry.next).collect();
    due.sort_unstable();
    assert_eq!(
        queue.schedules.due(u64::MAX).map(|(_, entry)| entry.next.expect("due")).collect::<Vec<_>>(),
        due
    );
    let mut held: Vec<_> =
        all.iter().filter(|entry| entry.held).map(|entry| entry.last.expect("a run").serial).collect();
    held.sort_unstable();
    assert_eq!(queue.schedules.runs_waited_for(), held);
    assert!(held.iter().all(|serial| queue.is_under_way(*serial)));
    assert!(all.iter().filter_map(|entry| entry.last).all(|run| run.serial < queue.next_serial));
    let mut empty = queue.schedules.clone();
    for (name, _) in queue.schedules.iter() {
        empty.remove(name);
    }
    assert_eq!((empty.len(), empty.memory(), empty.first_due()), (0, 0, None));
}
