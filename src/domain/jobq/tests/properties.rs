//! The queue under any history, against the naive model, with a replica beside it.

use super::harness::*;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::effect::Change;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::KeyHolder;
use crate::domain::jobq::tests::event_replay::Follower;
use crate::domain::jobq::tests::model::{Handed, Model};
use crate::domain::jobq::view::job_and_stats::Stats;
use crate::domain::jobq::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{DAY, MINUTE, UnixMs};
use crate::domain::value::Value as _;
use proptest::prelude::*;

/// UNIQUE: one of few keys.
type Unique = (u8, Until, Option<u64>, OnDup, Option<u64>);

fn uniques() -> impl Strategy<Value = Unique> {
    let window = || 1..60u64;
    let held = prop_oneof![
        3 => Just((Until::Done, None)),
        2 => Just((Until::Start, None)),
        2 => window().prop_map(|window| (Until::Time, Some(window))),
        1 => window().prop_map(|window| (Until::Done, Some(window))),
        1 => window().prop_map(|window| (Until::Start, Some(window))),
    ];
    let on_dup = prop::sample::select(vec![OnDup::Keep, OnDup::Replace, OnDup::Next, OnDup::Cancel]);
    let max_wait = prop::option::weighted(0.5, 1..60u64);
    (0..2u8, held, on_dup, max_wait).prop_map(|(key, (until, window), on_dup, max_wait)| {
        (key, until, window, on_dup, max_wait.filter(|_| on_dup == OnDup::Replace))
    })
}

#[derive(Debug, Clone)]
enum Step {
    Push {
        id: Option<u8>,
        delay: u64,
        retries: u16,
        rank: (i32, bool),
        backoff: Option<Backoff>,
        lease: Option<u64>,
        group: Option<u8>,
        /// EXPIRE and KEEP.
        lifetime: (Option<u64>, Option<u64>),
        unique: Option<Unique>,
        /// These of the jobs that there are, counted from the latest.
        after: (Vec<usize>, OnDead),
    },
    Pop {
        count: usize,
        lease: Option<u64>,
    },
    // These by the n-th newest token that was ever granted.
    Ack {
        by: usize,
    },
    Fail {
        by: usize,
        delay: Option<u64>,
        dead: bool,
        chance: u64,
        /// KIND and PROGRESS.
        report: (Option<u8>, Option<u8>),
    },
    Release {
        by: usize,
        delay: u64,
        progress: Option<u8>,
    },
    Extend {
        by: usize,
        lease: Option<u64>,
    },
    /// An EXTEND with a word about the progress, and a line for the log.
    Note {
        by: usize,
        text: u8,
    },
    /// The job with that id, or (none) of the newest grant.
    Update {
        id: Option<u8>,
        priority: Option<i32>,
        due: Option<Due>,
        retries: Option<u16>,
        payload: Option<u8>,
        lifo: Option<bool>,
        no_unique: bool,
    },
    /// The job of that grant, or (none) the one with that id.
    Cancel {
        by: Option<usize>,
        id: u8,
    },
    Redrive {
        limit: usize,
        done: bool,
        older: u64,
        kind: Option<u8>,
    },
    Purge {
        state: State,
        older: u64,
    },
    Configure(&'static str, &'static str),
    /// A CRON SET of one of few schedules.
    SetSchedule {
        name: u8,
        when: (&'static str, &'static str),
        catch_up: CatchUp,
        overlap: bool,
        retries: u16,
        group: Option<u8>,
        lifetime: (Option<u64>, Option<u64>),
        bounds: RunBounds,
    },
    DeleteSchedule(u8),
    Run(u8),
    Pause(Option<(Option<u64>, bool)>),
    Forward(u64),
    Back(u64),
    /// Both servers start again from what they saved.
    Restart,
}

/// Small numbers, so that a short history meets them.
const SETTINGS: [(&str, &str); 21] = [
    ("lease", "20ms"),
    ("retries", "1"),
    ("backoff", "fixed:9ms"),
    ("concurrency", "1"),
    ("concurrency", "3"),
    ("concurrency", "off"),
    ("group_concurrency", "1"),
    ("group_concurrency", "2"),
    ("group_concurrency", "off"),
    ("rate", "2/25ms"),
    ("rate", "off"),
    ("aging", "7ms"),
    ("aging", "off"),
    ("max_length", "3"),
    ("max_length", "off"),
    ("keep_done", "40ms/2"),
    ("keep_dead", "1d/1"),
    ("stall_max", "1"),
    ("events", "1000"),
    ("events", "7"),
    ("events", "0"),
];

/// Patterns and zones: due often, at times, and where clocks change.
const WHENS: [(&str, &str); 8] = [
    ("* * * * * *", "UTC"),
    ("*/20 * * * * *", "UTC"),
    ("@every 7s", "UTC"),
    ("* * * * *", "UTC"),
    ("@every 5h", "UTC"),
    ("0 * * * *", "America/Sao_Paulo"),
    ("30 2 * * *", "Europe/Berlin"),
    ("0 0 29 2 *", "Pacific/Apia"),
];

/// A START and an END near the times of a short history, and a few RUNS.
fn bounds() -> impl Strategy<Value = RunBounds> {
    let near = |ms: u64| prop::option::weighted(0.2, START - 60_000..START + ms);
    (near(60_000), near(5 * DAY), prop::option::weighted(0.2, 1..4u64)).prop_map(|(start, end, max_runs)| {
        RunBounds { start, end: end.map(|end| end.max(start.unwrap_or(0))), max_runs }
    })
}

fn plans() -> impl Strategy<Value = Step> {
    // Those that are due often do not make each run that they missed: in four days there are many.
    let catch_up = |nth: usize| prop::sample::select(CatchUp::ALL[..if nth < 4 { 2 } else { 3 }].to_vec());
    let when = (0..WHENS.len()).prop_flat_map(move |nth| (Just(WHENS[nth]), catch_up(nth)));
    let lifetime =
        (prop::option::weighted(0.3, MINUTE + 1..2 * MINUTE), prop::option::weighted(0.3, 0..60u64));
    (0..3u8, when, any::<bool>(), 0..2u16, prop::option::weighted(0.3, 0..3u8), lifetime, bounds()).prop_map(
        |(name, (when, catch_up), overlap, retries, group, lifetime, bounds)| Step::SetSchedule {
            bounds,
            name,
            when,
            catch_up,
            overlap,
            retries,
            group,
            // No run has expired when it is made: a POP would pass it over, which the model's turns
            // do not.
            lifetime: (lifetime.0.filter(|_| catch_up == CatchUp::Skip), lifetime.1),
        },
    )
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        Just(Backoff::Fixed(7)),
        Just(Backoff::List([3, 9].into())),
        Just(Backoff::Exponential { first: 4, most: 10, jitter: 50 }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lease = || prop::option::weighted(0.8, 1..40u64);
    let by = || prop_oneof![4 => 0..3usize, 1 => 0..12usize];
    let delay = || prop_oneof![2 => Just(0), 1 => 1..40u64];
    let kinds = || prop::option::weighted(0.3, b'k'..b'm');
    let push = (
        prop::option::of(0..4u8),
        delay(),
        (0..4u16, prop::option::weighted(0.6, 0..3u8)),
        prop::option::weighted(0.7, backoffs()),
        prop::option::weighted(0.2, 1..40u64),
        (prop_oneof![2 => Just(0), 1 => -1..2i32], prop::bool::weighted(0.2)),
        (prop::option::weighted(0.3, 1..60u64), prop::option::weighted(0.3, 0..60u64)),
        prop::option::weighted(0.4, uniques()),
        (
            prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(0..5usize, 1..4)],
            prop::sample::select(OnDead::ALL.to_vec()),
        ),
    );
    let step = prop_oneof![
        8 => push.prop_map(|(id, delay, (retries, group), backoff, lease, rank, lifetime, unique, after)| {
            // The order in which groups come is not followed through those that let others go.
            let group = group.filter(|_| unique.is_none() && after.0.is_empty());
            Step::Push { id, delay, retries, rank, backoff, lease, group, lifetime, unique, after }
        }),
        10 => (1..4usize, lease()).prop_map(|(count, lease)| Step::Pop { count, lease }),
        2 => by().prop_map(|by| Step::Ack { by }),
        4 => (by(), prop::option::weighted(0.3, 0..30u64), prop::bool::weighted(0.1), any::<u64>(), (kinds(), kinds()))
            .prop_map(|(by, delay, dead, chance, report)| Step::Fail { by, delay, dead, chance, report }),
        3 => (by(), delay(), kinds()).prop_map(|(by, delay, progress)| Step::Release { by, delay, progress }),
        2 => (by(), lease()).prop_map(|(by, lease)| Step::Extend { by, lease }),
        2 => (by(), any::<u8>()).prop_map(|(by, text)| Step::Note { by, text }),
        4 => (
            prop::option::weighted(0.8, 0..4u8),
            prop::option::weighted(0.3, -1..2i32),
            prop::option::of(prop_oneof![(0..40u64).prop_map(Due::After), (0..80u64).prop_map(|at| Due::At(START + at))]),
            prop::option::weighted(0.2, 0..4u16),
            prop::option::weighted(0.2, any::<u8>()),
            (prop::option::weighted(0.2, any::<bool>()), prop::bool::weighted(0.2)),
        )
            .prop_map(|(id, priority, due, retries, payload, (lifo, no_unique))| {
                Step::Update { id, priority, due, retries, payload, lifo, no_unique }
            }),
        2 => (prop::option::of(by()), 0..4u8).prop_map(|(by, id)| Step::Cancel { by, id }),
        2 => (1..4usize, prop::bool::weighted(0.3), prop_oneof![2 => Just(0), 1 => 1..60u64], kinds())
            .prop_map(|(limit, done, older, kind)| Step::Redrive { limit, done, older, kind }),
        1 => (prop::sample::select(vec![State::Ready, State::Blocked, State::Done, State::Dead]), 1..60u64)
            .prop_map(|(state, older)| Step::Purge { state, older }),
        2 => prop::sample::select(SETTINGS.to_vec()).prop_map(|(field, value)| Step::Configure(field, value)),
        2 => prop::option::weighted(0.4, (prop::option::weighted(0.7, 1..40u64), any::<bool>()))
            .prop_map(Step::Pause),
        2 => plans(),
        1 => (0..3u8).prop_map(Step::DeleteSchedule),
        1 => (0..3u8).prop_map(Step::Run),
        8 => (0..40u64).prop_map(Step::Forward),
        1 => (1_000..40_000u64).prop_map(Step::Forward),
        1 => prop_oneof![4 => Just(DAY / 2), 1 => Just(4 * DAY)].prop_map(Step::Forward),
        2 => (0..60u64).prop_map(Step::Back),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..120)
}

/// The token that was granted, and what for.
#[derive(Debug, Clone, Default)]
struct Grant {
    id: Vec<u8>,
    token: u64,
}

struct Play {
    world: World,
    model: Model,
    /// Newest first; before the first a job that does not exist.
    grants: Vec<Grant>,
    follower: Follower,
}

fn code<R>(answer: Result<R, Refusal>) -> Result<R, Code> {
    answer.map_err(|refusal| refusal.code)
}

impl Play {
    fn grant(&self, by: usize) -> Grant {
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
                delay,
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
                    payload: &[retries as u8],
                    id: id.as_ref().map(|id| &id[..]),
                    due: Due::After(delay),
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
                    ..plain(b"")
                };
                self.push(&push);
            }
            Step::Pop { count, lease } => {
                let worker = [None, Some(&b"one"[..]), Some(b"two")][count % 3];
                let pop = Pop { count, lease, worker, bytes_left: None };
                let popped = self.world.pop_as(&pop);
                let tokens: Vec<u64> = popped.iter().map(|job| job.token).collect();
                // The model hands out no more jobs than there are tokens: with enough of them it
                // says how many.
                let could = self.model.clone().pop(&pop, &[1; 4], now).len();
                assert_eq!(popped.len(), could, "as many as can be popped");
                let expected = self.model.pop(&pop, &tokens, now);
                self.check_promise(popped.is_empty());
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
            Step::Ack { by } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.ack(&id, token));
                assert_eq!(answer, self.model.ack(&id, token, now));
                self.again_of(&id, &answer, |world| world.ack(&id, token));
            }
            Step::Fail { by, delay, dead, chance, ref report } => {
                let Grant { id, token } = self.grant(by);
                let kind = report.0.as_ref().map(std::slice::from_ref);
                let progress = report.1.as_ref().map(std::slice::from_ref);
                let fail = Fail { error: Some(b"broken"), kind, progress, delay, dead, chance };
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
            Step::Update { id, priority, due, retries, payload, lifo, no_unique } => {
                let id = id.map_or_else(|| self.grant(0).id, |id| vec![b'a' + id]);
                let payload = payload.map(|payload| [payload]);
                let payload = payload.as_ref().map(|payload| &payload[..]);
                let update = Update { priority, due, retries, payload, lifo, no_unique };
                let answer = code(self.world.update(&id, &update));
                assert_eq!(answer, self.model.update(&id, &update, now));
                self.again(&answer, |world| world.update(&id, &update));
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
            Step::Redrive { limit, done, older, ref kind } => {
                let kind = kind.as_ref().filter(|_| !done).map(std::slice::from_ref);
                let filter = JobFilter { kind, error: None };
                let redrive = Redrive { ids: None, filter, older, done, limit };
                assert_eq!(self.world.redrive(&redrive), self.model.redrive(&redrive, now));
            }
            Step::Purge { state, older } => {
                assert_eq!(self.world.purge(state, older), self.model.purge(state, older, now));
            }
            Step::Configure(field, value) => {
                self.world.configure(field, value);
                self.model.configure(field, value, now);
            }
            Step::Pause(pause) => {
                self.world.pause(pause);
                self.model.pause(pause, now);
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
            assert_eq!(job.kind(), row.kind.as_deref());
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
    fn check_promise(&self, nothing: bool) {
        let Some(queue) = self.world.primary.as_ref().filter(|_| nothing) else { return };
        // What the schedules have left for the next time comes then.
        if queue.next_run().is_some_and(|due| due <= queue.clock.max(self.world.now)) {
            return;
        }
        let due = queue.next_due(self.world.now);
        assert!(due.is_none_or(|due| due > queue.clock.max(self.world.now)), "it is worth waiting for");
        let before = due.map_or(self.world.now + DAY / 2, |due| due - 1);
        let later = advanced(queue, before);
        let pop = Pop { count: 1, ..Pop::default() };
        assert_eq!(decide_pop(Some(&later), &pop, before, &self.world.tokens).reply.as_slice(), []);
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
        self.check_stats(&stats(Some(queue), now), &stats(Some(&moved), now), queue.keep(State::Dead).most);
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
