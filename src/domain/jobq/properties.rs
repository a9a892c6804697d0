//! The queue under any history, against the naive model, with a replica beside it.

use proptest::prelude::*;

use super::model::{Handed, Model, Row};
use super::world::*;
use super::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{DAY, UnixMs};

#[derive(Debug, Clone)]
enum Step {
    Push {
        id: Option<u8>,
        delay: u64,
        retries: u32,
        rank: (i32, bool),
        backoff: Option<Backoff>,
        lease: Option<u64>,
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
    },
    Release {
        by: usize,
        delay: u64,
    },
    Extend {
        by: usize,
        lease: Option<u64>,
    },
    /// The job of that grant, or (none) the one with that id.
    Cancel {
        by: Option<usize>,
        id: u8,
    },
    Redrive {
        limit: usize,
    },
    Purge {
        state: State,
        older: u64,
    },
    Forward(u64),
    Back(u64),
    /// Both servers start again from what they saved.
    Restart,
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
    let push = (
        prop::option::of(0..4u8),
        delay(),
        0..4u32,
        prop::option::weighted(0.7, backoffs()),
        prop::option::weighted(0.2, 1..40u64),
        (prop_oneof![2 => Just(0), 1 => -1..2i32], prop::bool::weighted(0.2)),
    );
    let step = prop_oneof![
        8 => push.prop_map(|(id, delay, retries, backoff, lease, rank)| {
            Step::Push { id, delay, retries, rank, backoff, lease }
        }),
        10 => (1..4usize, lease()).prop_map(|(count, lease)| Step::Pop { count, lease }),
        2 => by().prop_map(|by| Step::Ack { by }),
        4 => (by(), prop::option::weighted(0.3, 0..30u64), prop::bool::weighted(0.1), any::<u64>())
            .prop_map(|(by, delay, dead, chance)| Step::Fail { by, delay, dead, chance }),
        3 => (by(), delay()).prop_map(|(by, delay)| Step::Release { by, delay }),
        2 => (by(), lease()).prop_map(|(by, lease)| Step::Extend { by, lease }),
        2 => (prop::option::of(by()), 0..4u8).prop_map(|(by, id)| Step::Cancel { by, id }),
        1 => (1..4usize).prop_map(|limit| Step::Redrive { limit }),
        1 => (prop::sample::select(vec![State::Ready, State::Done, State::Dead]), 1..60u64)
            .prop_map(|(state, older)| Step::Purge { state, older }),
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
}

fn code<R>(answer: Result<R, Refusal>) -> Result<R, Code> {
    answer.map_err(|refusal| refusal.code)
}

impl Play {
    fn grant(&self, by: usize) -> Grant {
        self.grants.get(by).cloned().unwrap_or(Grant { id: b"nobody".to_vec(), token: 1 })
    }

    /// What was said once is said again: the same answer, and nothing changes.
    fn again<R: PartialEq + std::fmt::Debug>(
        &mut self,
        first: &Result<R, Code>,
        say: impl Fn(&mut World) -> Result<R, Refusal>,
    ) {
        // A retry without a wait is due at once.
        self.world.advance();
        self.model.advance(self.world.now);
        let effects = self.world.effects;
        assert_eq!(code(say(&mut self.world)), *first, "said again");
        assert_eq!(self.world.effects, effects, "saying it again changes nothing");
    }

    fn step(&mut self, step: &Step) {
        let now = self.world.now;
        match *step {
            Step::Push { id, delay, retries, ref backoff, lease, rank } => {
                let id = id.map(|id| [b'a' + id]);
                let push = Push {
                    payload: &[retries as u8],
                    id: id.as_ref().map(|id| &id[..]),
                    due: Due::After(delay),
                    priority: rank.0,
                    lifo: rank.1,
                    retries,
                    backoff: backoff.clone(),
                    lease,
                    ..plain(b"")
                };
                let pushed = self.world.push(&push);
                assert_eq!(pushed, self.model.push(&push, now));
                if let Some(id) = push.id {
                    self.again(&Ok(Pushed::Duplicate(id.into())), |world| Ok(world.push(&push)));
                }
            }
            Step::Pop { count, lease } => {
                let popped = self.world.pop(count, lease);
                let tokens: Vec<u64> = popped.iter().map(|job| job.token).collect();
                let expected = self.model.pop(&Pop { count, lease }, &tokens, now);
                // The model hands out no more jobs than there are tokens: count for itself.
                let left = self.model.rows.iter().filter(|row| row.state == State::Ready).count();
                assert!(left == 0 || popped.len() == count, "{left} more could be popped");
                let handed = |job: &Popped<'_>| Handed {
                    id: job.id.to_vec(),
                    payload: job.payload.to_vec(),
                    attempt: job.attempt,
                    deadline: job.deadline,
                };
                assert_eq!(popped.iter().map(handed).collect::<Vec<_>>(), expected);
                for job in popped {
                    assert!(self.grants.first().is_none_or(|last| last.token < job.token), "tokens rise");
                    assert!(job.attempt <= u32::from(job.payload[0]) + 1, "attempts");
                    self.grants.insert(0, Grant { id: job.id.to_vec(), token: job.token });
                }
            }
            Step::Ack { by } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.ack(&id, token));
                assert_eq!(answer, self.model.ack(&id, token, now));
                self.again(&answer, |world| world.ack(&id, token));
            }
            Step::Fail { by, delay, dead, chance } => {
                let Grant { id, token } = self.grant(by);
                let fail = Fail { error: Some(b"broken"), delay, dead, chance };
                let answer = code(self.world.fail(&id, token, &fail));
                let due = answer.as_ref().map_or(0, |failed| failed.due);
                assert_eq!(answer, self.model.fail(&id, token, &fail, due, now));
                let other = Fail { chance: chance.wrapping_add(1), ..fail };
                if answer != Ok(Failed { state: None, due: 0 }) {
                    self.again(&answer, |world| world.fail(&id, token, &other));
                }
            }
            Step::Release { by, delay } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.release(&id, token, delay));
                assert_eq!(answer, self.model.release(&id, token, delay, now));
                // A job whose cancellation was asked for is gone when it comes back.
                if answer.is_err() || self.model.rows.iter().any(|row| row.id == id) {
                    self.again(&answer, |world| world.release(&id, token, delay));
                }
            }
            Step::Extend { by, lease } => {
                let Grant { id, token } = self.grant(by);
                let answer = code(self.world.extend(&id, token, lease));
                assert_eq!(answer, self.model.extend(&id, token, lease, now));
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
            Step::Redrive { limit } => {
                let redrive = Redrive { ids: None, error: None, limit };
                assert_eq!(self.world.redrive(&redrive), self.model.redrive(limit, now));
            }
            Step::Purge { state, older } => {
                assert_eq!(self.world.purge(state, older), self.model.purge(state, older, now));
            }
            Step::Forward(ms) => self.world.now += ms,
            Step::Back(ms) => self.world.now -= ms,
            Step::Restart => {
                self.world.primary = self.world.primary.as_ref().map(reloaded);
                self.world.replica = self.world.replica.as_ref().map(reloaded);
            }
        }
    }

    fn check(&self) {
        let Some(queue) = &self.world.primary else { return assert!(self.model.rows.is_empty()) };
        check_indexes(queue);
        assert_eq!(blocks(Some(queue)), blocks(self.world.replica.as_ref()), "primary and replica");
        assert_eq!(queue.jobs.len(), self.model.rows.len());
        assert_eq!(queue.clock, self.model.clock);
        assert_eq!(queue.totals, self.model.totals);
        for (row, job) in self.model.rows.iter().zip(queue.jobs.values()) {
            let have = (job.state, job.at, job.token, job.failures, job.stalls, job.retries);
            assert_eq!(
                have,
                (row.state, row.at, row.token, row.failures, row.stalls, row.retries),
                "{row:?}"
            );
            assert!(job.failures <= job.retries + 1 && job.stalls <= STALL_MAX + 1);
            assert!(job.state != State::Active || job.stalls <= STALL_MAX);
        }
        let mut live: Vec<u64> =
            queue.jobs.values().map(|job| job.token).filter(|token| *token > 0).collect();
        let all = live.len();
        live.sort_unstable();
        live.dedup();
        assert_eq!(live.len(), all, "a token is of one job");
        let timed = |row: &&Row| matches!(row.state, State::Delayed | State::Active);
        assert_eq!(queue.next_due(), self.model.rows.iter().filter(timed).map(|row| row.at).min());
        if let Some(due) = queue.next_due() {
            let looks = |now| State::ALL.map(|state| advanced(queue, now).count(state));
            let unmoved = |now| looks(now)[..3] == State::ALL.map(|state| queue.count(state))[..3];
            assert!(unmoved(due.saturating_sub(1)) || due <= queue.clock);
            assert!(!unmoved(due));
        }
    }

    /// GET and STATS of a queue that nothing has moved yet.
    fn check_views(&self, now: UnixMs) {
        let Some(queue) = &self.world.primary else {
            assert_eq!(stats(None, now), Stats::default());
            return assert_eq!(job(None, b"a", now).unwrap_err().code, Code::NoJob);
        };
        let moved = advanced(queue, now);
        assert_eq!(stats(Some(queue), now), stats(Some(&moved), now));
        for (serial, before) in &queue.jobs {
            let id = before.shown_id(*serial);
            match (job(Some(queue), &id, now), moved.find(&id)) {
                (Ok(view), Some((_, after))) => {
                    assert_eq!((view.state, view.at, view.stalls), (after.state, after.at, after.stalls));
                    let error = after.extra.as_ref().and_then(|extra| extra.error.as_deref());
                    assert_eq!(view.error, error);
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
        let mut play = Play { world: World::new(), model: Model::default(), grants: Vec::new() };
        for step in &steps {
            let before = blocks(play.world.primary.as_ref());
            let (effects, changes) = (play.world.effects, play.model.changes);
            play.step(step);
            prop_assert_eq!(play.world.effects - effects, play.model.changes - changes, "one effect a change");
            if play.model.changes == changes {
                prop_assert_eq!(blocks(play.world.primary.as_ref()), before, "nothing changed");
            }
            play.check();
            for now in [play.world.now, play.world.now + ahead, play.world.now + KEEP_DONE.0, play.world.now + KEEP_DEAD.0] {
                play.check_views(now);
            }
        }
    }
}
