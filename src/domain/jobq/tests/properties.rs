//! The queue under any history, against the naive model, with a replica beside it.

use super::harness::*;
use super::random_steps::{Step, steps};
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::effect::Change;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::KeyHolder;
use crate::domain::jobq::tests::breakdown::check_rows;
use crate::domain::jobq::tests::event_replay::Follower;
use crate::domain::jobq::tests::model::{Handed, Model};
use crate::domain::jobq::view::job_and_stats::Stats;
use crate::domain::jobq::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{DAY, UnixMs};
use crate::domain::value::Value as _;
use proptest::prelude::*;

/// The token that was granted, and what for.
#[derive(Debug, Clone, Default)]
pub(super) struct Grant {
    pub id: Vec<u8>,
    pub token: u64,
}

pub(super) struct Play {
    pub world: World,
    pub model: Model,
    /// Newest first; before the first a job that does not exist.
    grants: Vec<Grant>,
    follower: Follower,
}

pub(super) fn code<R>(answer: Result<R, Refusal>) -> Result<R, Code> {
    answer.map_err(|refusal| refusal.code)
}

impl Play {
    pub(super) fn grant(&self, by: usize) -> Grant {
        self.grants.get(by).cloned().unwrap_or(Grant { id: b"nobody".to_vec(), token: 1 })
    }

    /// What was said once of a job is said again: the same answer, and nothing changes. A job that
    /// has gone in between, by its EXPIRE or because it was to be stopped, is not known any more.
    fn again_of<R: PartialEq + std::fmt::Debug>(
        &mut self,
        id: &[u8],
        first: &Result<R, Code>,
        say: impl Fn(&mut World) -> Result<R, Refusal>,
    ) {
        self.catch_up();
        if first.is_ok() && !self.model.rows.iter().any(|row| row.id == id) {
            return assert_eq!(code(say(&mut self.world)), Err(Code::NoJob));
        }
        self.again(first, say);
    }

    /// What was said once is said again: the same answer, and nothing changes.
    fn again<R: PartialEq + std::fmt::Debug>(
        &mut self,
        first: &Result<R, Code>,
        say: impl Fn(&mut World) -> Result<R, Refusal>,
    ) {
        // A retry without a wait is due at once, and schedules go step by step.
        self.catch_up();
        let effects = self.world.effects;
        assert_eq!(code(say(&mut self.world)), *first, "said again");
        assert_eq!(self.world.effects, effects, "saying it again changes nothing");
    }

    /// Until nothing is due any more.
    fn catch_up(&mut self) {
        loop {
            let effects = self.world.effects;
            self.world.advance();
            self.model.advance(self.world.now);
            if self.world.effects == effects {
                return;
            }
        }
    }

    fn push(&mut self, push: &Push<'_>) {
        let pushed = code(self.world.try_push(push));
        assert_eq!(pushed, self.model.push(push, self.world.now));
        // The holder of the key answers for a push that it kept away.
        let again = match (push.id, &pushed) {
            (_, Err(_)) => pushed,
            (Some(id), Ok(Pushed::Duplicate(known))) if **known != *id => pushed,
            (Some(id), _) => Ok(Pushed::Duplicate(id.into())),
            (None, Ok(Pushed::Duplicate(_))) => pushed,
            (None, Ok(_)) => return,
        };
        self.again(&again, |world| world.try_push(push));
    }

    fn step(&mut self, step: &Step) {
        let now = self.world.now;
        match *step {
            Step::Push {
                id,
                name,
                due,
                content: (must_match, ref meta, cost, is_long),
                retries,
                ref backoff,
                lease,
                rank,
                group,
                lifetime: (expire, keep),
                unique,
                ref after,
            } => {
                let id = id.map(|id| [b'a' + id]);
                let key = unique.map(|(key, ..)| [key]).unwrap_or_default();
                let unique = unique.map(|(_, until, window, on_dup, max_wait)| UniqueKey {
                    key: &key,
                    until,
                    window,
                    on_dup,
                    max_wait,
                });
                self.catch_up();
                let latest: Vec<_> = self.model.rows.iter().rev().map(|row| row.id.clone()).collect();
                let ids: Vec<&[u8]> =
                    after.0.iter().filter_map(|at| latest.get(*at)).map(|id| &id[..]).collect();
                let after = (!ids.is_empty()).then_some(After { ids: &ids, on_dead: after.1 });
                let push = Push {
                    payload: &[retries as u8, 0][..1 + usize::from(is_long)],
                    must_match,
                    meta: meta.as_ref().map(std::slice::from_ref),
                    cost,
                    id: id.as_ref().map(|id| &id[..]),
                    name: name.as_ref().map(std::slice::from_ref),
                    due,
                    priority: rank.0,
                    lifo: rank.1,
                    group: group.as_ref().map(std::slice::from_ref),
                    retries: Some(retries),
                    backoff: backoff.clone(),
                    lease,
                    expire,
                    keep,
                    unique,
                    after,
                };
                self.push(&push);
            }
            Step::Pop { count, lease, linger, grouped } => {
                let worker = [None, Some(&b"one"[..]), Some(b"two")][count % 3];
                let pop = Pop { count, lease, linger, grouped, worker, bytes_left: None };
                let popped = self.world.pop_as(&pop);
                let tokens: Vec<u64> = popped.iter().map(|job| job.token).collect();
                // The model hands out no more jobs than there are tokens: with enough of them it
                // says how many.
                let could = self.model.clone().pop(&pop, &[1; 4], now).len();
                assert_eq!(popped.len(), could, "as many as can be popped");
                let expected = self.model.pop(&pop, &tokens, now);
                self.check_promise(popped.is_empty(), &pop);
                let handed = |job: &Popped<'_>| Handed {
                    id: job.id.to_vec(),
                    payload: job.payload.to_vec(),
                    attempt: job.attempt,
                    deadline: job.deadline,
                    progress: job.progress.as_ref().map(|progress| progress.to_vec()),
                };
                assert_eq!(popped.iter().map(handed).collect::<Vec<_>>(), expected);
                for job in popped {
                    assert!(self.grants.first().is_none_or(|last| last.token < job.token), "tokens rise");
                    self.grants.insert(0, Grant { id: job.id.to_vec(), token: job.token });
                }
            }
            Step::Ack { by, ref result } => {
                let Grant { id, token } = self.grant(by);
                let result = result.as_ref().map(std::slice::from_ref);
                let answer = code(self.world.ack_with(&id, token, result));
                assert_eq!(answer, self.model.ack(&id, token, result, now));
                self.again_of(&id, &answer, |world| world.ack(&id, token));
            }
            Step::PushMany { ref ids, name } => self.push_many(ids, name),
            Step::AckMany(ref by) => self.ack_many(by),
            Step::ExtendMany(ref by, lease) => self.extend_many(by, lease),
            Step::Fail { by, delay, dead, chance, error, ref report } => {
                let Grant { id, token } = self.grant(by);
                let kind = report.0.as_ref().map(std::slice::from_ref);
                let progress = report.1.as_ref().map(std::slice::from_ref);
                let fail = Fail { error: error.map(str::as_bytes), kind, progress, delay, dead, chance };
                let answer = code(self.world.fail(&id, token, &fail));
                let due = answer.as_ref().map_or(0, |failed| failed.due);
                assert_eq!(answer, self.model.fail(&id, token, &fail, due, now));
                let other = Fail { chance: chance.wrapping_add(1), ..fail };
                self.again_of(&id, &answer, |world| world.fail(&id, token, &other));
            }
            Step::Release { by, delay, ref progress } => {
                let Grant { id, token } = self.grant(by);
                let progress = progress.as_ref().map(std::slice::from_ref);
                let answer = code(self.world.release_with(&id, token, delay, progress));
                assert_eq!(answer, self.model.release(&id, token, delay, progress, now));
                self.again_of(&id, &answer, |world| world.release_with(&id, token, delay, progress));
            }
            Step::Extend { by, lease } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.extend(&id, token, lease));
                assert_eq!(answer, self.model.extend(&id, token, lease, None, now));
            }
            Step::Note { by, text } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.progress(&id, token, &[text]));
                assert_eq!(answer, self.model.extend(&id, token, None, Some(&[text]), now));
                let answer = code(self.world.log(&id, token, &[text]));
                assert_eq!(answer, self.model.log(&id, token, &[text], now));
            }
            Step::Update { id, priority, due, retries, payload, lifo, no_unique, ref parents } => {
                let id = id.map_or_else(|| self.grant(0).id, |id| vec![b'a' + id]);
                let payload = payload.map(|payload| [payload]);
                let payload = payload.as_ref().map(|payload| &payload[..]);
                self.catch_up();
                // The order in which groups come is not followed through those that let others go.
                let is_grouped = self.model.rows.iter().any(|row| row.id == id && row.group.is_some());
                let latest: Vec<_> = self.model.rows.iter().rev().map(|row| row.id.clone()).collect();
                let (ids, on_dead) = parents.as_ref().filter(|_| !is_grouped).cloned().unwrap_or_default();
                let ids: Vec<&[u8]> = ids.iter().filter_map(|at| latest.get(*at)).map(|id| &id[..]).collect();
                let parents = (!ids.is_empty()).then_some(AddedParents { ids: &ids, on_dead });
                let update = Update { priority, due, retries, payload, lifo, no_unique, parents };
                let answer = code(self.world.update(&id, &update));
                assert_eq!(answer, self.model.update(&id, &update, now));
                if parents.is_none() {
                    self.again(&answer, |world| world.update(&id, &update));
                } else if answer.is_ok() {
                    // The jobs may be gone by then, or the job itself dead.
                    self.catch_up();
                    let effects = self.world.effects;
                    _ = self.world.update(&id, &Update { parents, ..Update::default() });
                    assert_eq!(self.world.effects, effects, "what it waits for is not added twice");
                }
            }
            Step::Cancel { by, id } => {
                let id = by.map_or_else(|| vec![b'a' + id], |by| self.grant(by).id);
                let twice = self.world.cancel(&[&id, &id]);
                let once = self.model.cancel(&id, now);
                assert_eq!(twice[0], once);
                let again = if once == Cancelled::Removed { Cancelled::Gone } else { once };
                assert_eq!(twice[1], again);
                self.again(&Ok(vec![again]), |world| Ok(world.cancel(&[&id])));
            }
            Step::Redrive { limit, done, older, failure, ref ids } => {
                self.redrive(limit, done, older, failure, ids.as_deref());
            }
            Step::Purge { state, older, failure, limit } => self.purge(state, older, failure, limit),
            Step::Configure(field, value) => {
                self.world.configure(field, value);
                self.model.configure(field, value, now);
            }
            Step::Pause(pause) => {
                self.world.pause(pause);
                self.model.pause(pause, now);
            }
            Step::PauseGroup(group, pause) => {
                self.world.pause_group(&[group], pause);
                self.model.pause_group(&[group], pause, now);
            }
            Step::SetGroup(group, concurrency) => {
                self.world.set_group(&[group], concurrency);
                self.model.set_group(&[group], concurrency, now);
                let same = |world: &mut World| {
                    world.set_group(&[group], concurrency);
                    Ok(())
                };
                self.again(&Ok(()), same);
            }
            Step::SetSchedule {
                name,
                when: (pattern, zone),
                catch_up,
                overlap,
                retries,
                group,
                lifetime,
                bounds,
            } => {
                let push = Push {
                    retries: Some(retries),
                    group: group.as_ref().map(std::slice::from_ref),
                    expire: lifetime.0,
                    keep: lifetime.1,
                    ..plain(b"run")
                };
                let zone = Zone::named(zone.as_bytes()).expect("a zone");
                let name = [b's' + name];
                let pattern = pattern.as_bytes();
                let plan = SetSchedule { name: &name, pattern, zone, catch_up, overlap, bounds, push };
                let answer = code(self.world.set_schedule(&plan));
                assert_eq!(answer, self.model.set_schedule(&plan, now));
                self.again(&answer, |world| world.set_schedule(&plan));
            }
            Step::DeleteSchedule(name) => {
                let name = [b's' + name];
                assert_eq!(self.world.delete_schedule(&name), self.model.delete_schedule(&name, now));
                self.again(&Ok(false), |world| Ok(world.delete_schedule(&name)));
            }
            Step::Run(name) => {
                let name = [b's' + name];
                assert_eq!(code(self.world.run_now(&name)), self.model.run_now(&name, now));
            }
            Step::Forward(ms) => self.world.now += ms,
            Step::Back(ms) => self.world.now -= ms,
            Step::Restart => {
                self.world.primary = self.world.primary.as_ref().map(reloaded);
                self.world.replica = self.world.replica.as_ref().map(reloaded);
            }
        }
    }

    fn check(&mut self) {
        let Some(queue) = &self.world.primary else { return assert!(self.model.rows.is_empty()) };
        check_indexes(queue);
        check_rows(&queue.duplicate());
        self.model.check_breakdowns(queue);
        self.follower.follow(queue);
        self.follower.clone().follow(&queue.duplicate());
        assert_eq!(blocks(Some(queue)), blocks(self.world.replica.as_ref()), "primary and replica");
        assert_eq!(queue.jobs.len(), self.model.rows.len());
        assert_eq!(queue.clock, self.model.clock);
        assert_eq!(queue.totals, self.model.totals);
        for (row, job) in self.model.rows.iter().zip(queue.jobs.iter().map(|(_, job)| job)) {
            let have = (job.state, job.at, job.token, job.failures(), job.stalls(), job.retries);
            assert_eq!(
                have,
                (row.state, row.at, row.token, row.failures, row.stalls, row.retries),
                "{row:?}"
            );
            assert_eq!(job.payload(), row.payload);
            let log = job.log();
            assert!(log.into_iter().flat_map(|log| log.lines()).eq(row.log.iter().map(|line| &line[..])));
            assert_eq!(job.progress(), row.progress.as_deref());
            assert_eq!((job.kind(), job.result()), (row.kind.as_deref(), row.result.as_deref()));
            assert_eq!((job.meta(), job.cost()), (row.meta.as_deref(), row.cost));
            row.check_error(job.error());
            assert_eq!(job.worker(), row.worker.as_deref().filter(|_| row.state == State::Active));
            assert_eq!(job.open() as usize, if row.state == State::Blocked { row.open() } else { 0 });
            assert!(job.failures() <= 4);
        }
        let mut live: Vec<u64> =
            queue.jobs.iter().map(|(_, job)| job.token).filter(|token| *token > 0).collect();
        let all = live.len();
        live.sort_unstable();
        live.dedup();
        assert_eq!(live.len(), all, "a token is of one job");
        self.check_keys(queue);
        self.check_schedules(queue);
        let groups = queue.ready.groups().map(|(name, group)| (name.to_vec(), group.turn)).collect();
        assert_eq!(self.model.turns, groups);
        assert_eq!(
            (queue.ready.ungrouped_turn, queue.ready.last_turn),
            (self.model.ungrouped_turn, self.model.last_turn)
        );
    }

    /// Until the time at which the queue says that it wants to be looked at again, nothing can be
    /// popped if nothing could be now.
    fn check_promise(&self, nothing: bool, pop: &Pop<'_>) {
        let Some(queue) = self.world.primary.as_ref().filter(|_| nothing) else { return };
        // What the schedules have left for the next time comes then.
        if queue.next_run().is_some_and(|due| due <= queue.clock.max(self.world.now)) {
            return;
        }
        let due = next_pop_due(queue, pop, self.world.now);
        assert!(due.is_none_or(|due| due > queue.clock.max(self.world.now)), "it is worth waiting for");
        let before = due.map_or(self.world.now + DAY / 2, |due| due - 1);
        let later = advanced(queue, before);
        assert_eq!(decide_pop(Some(&later), pop, before, &self.world.tokens).reply.as_slice(), []);
    }

    fn check_keys(&self, queue: &Queue) {
        let mut expected: Vec<_> = self.model.claims.iter().collect();
        expected.sort_by_key(|claim| claim.by.key);
        assert_eq!(queue.keys.held.len(), expected.len());
        for (claim, (key, have)) in expected.into_iter().zip(&queue.keys.held) {
            let id = match &have.holder {
                KeyHolder::Job(serial) => queue.job(*serial).expect("the holder").shown_id(*serial),
                KeyHolder::Gone(id) => JobId::from(&**id),
                KeyHolder::NotLoaded => panic!("{key:?} is held by nobody"),
            };
            assert_eq!((&key[..], &*id), (&[claim.by.key][..], &claim.id[..]));
            assert_eq!((have.next, have.free_at), (claim.next, claim.frees.unwrap_or(0)), "{key:?}");
        }
    }

    fn check_schedules(&self, queue: &Queue) {
        let mut expected: Vec<_> = self.model.schedules.iter().collect();
        expected.sort_by_key(|timed| &timed.name);
        assert_eq!(queue.schedules.len(), expected.len());
        for ((name, entry), timed) in queue.schedules.iter().zip(expected) {
            let last = entry.last.map(|run| (run.due, run.serial));
            assert_eq!(
                (name, entry.next, last, entry.progress, entry.held),
                (&timed.name[..], timed.next, timed.last, timed.progress(), timed.held)
            );
        }
    }

    fn check_stats(&self, seen: &Stats, moved: &Stats, most_dead: usize) {
        if seen.blocked == 0 {
            return assert_eq!(seen, moved);
        }
        let others = |stats: &Stats| stats.ready + stats.delayed + stats.blocked + stats.dead;
        // Those that die with what they wait for may be more than are kept.
        assert!(others(moved) <= others(seen));
        if most_dead > moved.dead {
            assert_eq!(others(seen), others(moved));
        }
        assert_eq!((seen.active, seen.done), (moved.active, moved.done));
        assert_eq!(seen.totals, Totals { died: seen.totals.died, ..moved.totals });
    }

    /// GET and STATS of a queue that nothing has moved yet.
    fn check_views(&self, now: UnixMs) {
        let Some(queue) = &self.world.primary else {
            assert_eq!(stats(None, now), Stats::default());
            return assert_eq!(job(None, b"a", now).unwrap_err().code, Code::NoJob);
        };
        // A view shows a run when it has been made.
        let mut quiet = reloaded(queue);
        for (name, _) in queue.schedules.iter() {
            quiet.apply(Effect { now: queue.clock, change: Change::DeleteSchedule { name: name.into() } });
        }
        let moved = advanced(&quiet, now);
        let (seen, then) = (stats(Some(queue), now), stats(Some(&moved), now));
        self.check_stats(&seen, &then, queue.keep(State::Dead).most);
        for by in [BreakdownBy::Name, BreakdownBy::Kind].into_iter().filter(|_| seen.blocked == 0) {
            // Which rows have become empty is of the write.
            assert_eq!(stats_by(Some(queue), by, &seen, now), stats_by(Some(&moved), by, &then, now));
        }
        // What waits for others is seen to move when it has moved.
        for (serial, before) in queue.jobs.iter().filter(|(_, job)| job.state != State::Blocked) {
            let id = before.shown_id(serial);
            match (job(Some(queue), &id, now), moved.find(&id)) {
                (Ok(view), Some((_, after))) => {
                    assert_eq!((view.state, view.at, view.stalls), (after.state, after.at, after.stalls()));
                    let error = after.error();
                    assert_eq!(view.error, error);
                }
                // Only a write counts how many there are.
                (Ok(view), None) if matches!(view.state, State::Done | State::Dead) => {
                    assert_eq!(moved.by_time(view.state).len(), queue.keep(view.state).most);
                }
                (Err(refusal), None) => assert_eq!(refusal.code, Code::NoJob),
                (view, after) => panic!("{view:?} and {after:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn every_history_goes_as_in_the_model(steps in steps(), ahead in 0..100u64) {
        let mut play = Play { world: World::new(), model: Model::default(), grants: Vec::new(), follower: Follower::default() };
        for step in &steps {
            let before = blocks(play.world.primary.as_ref());
            let (effects, changes) = (play.world.effects, play.model.changes);
            play.step(step);
            prop_assert_eq!(play.world.effects - effects, play.model.changes - changes, "one effect a change");
            if play.model.changes == changes {
                prop_assert_eq!(blocks(play.world.primary.as_ref()), before, "nothing changed");
            }
            play.check();
            for now in [play.world.now, play.world.now + ahead, play.world.now + DAY, play.world.now + 7 * DAY] {
                play.check_views(now);
            }
        }
    }
}
