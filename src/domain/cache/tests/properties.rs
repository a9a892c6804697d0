//! The entry under any history, against the naive model.

use super::harness::*;
use crate::domain::cache::tests::model::ModelEntry;
use crate::domain::cache::*;
use crate::domain::testing::saved_form::blocks;
use crate::domain::value::Value;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    GetSet {
        lease: u64,
        touch: Option<u64>,
        /// Whether a reader of a fresh value may be elected.
        early: bool,
    },
    /// By the n-th newest token that was ever granted, or by none.
    Set {
        by: Option<usize>,
        value: Option<u8>,
        ttl: Option<u64>,
        grace: u64,
    },
    /// A GETSET that brings its value.
    Bring {
        value: u8,
        ttl: Option<u64>,
        grace: u64,
    },
    /// Of the n-th newest token.
    Release {
        by: usize,
        delay: u64,
    },
    Expire,
    Forward(u64),
    Back(u64),
    Delete,
    /// The replica takes over: its token clock skips.
    Failover,
}

fn steps(backwards: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..40u64, any::<bool>()).prop_map(|(lease, early)| Step::GetSet { lease, touch: None, early }),
        2 => (1..40u64, 1..40u64, any::<bool>())
            .prop_map(|(lease, touch, early)| Step::GetSet { lease, touch: Some(touch), early }),
        1 => (30_000..90_000u64).prop_map(|lease| Step::GetSet { lease, touch: None, early: false }),
        2 => (0..3u8, prop::option::weighted(0.9, 1..60u64), 0..60u64)
            .prop_map(|(value, ttl, grace)| Step::Bring { value, ttl, grace }),
        2 => (0..2usize, prop_oneof![Just(0), 0..40u64, 50_000..90_000u64])
            .prop_map(|(by, delay)| Step::Release { by, delay }),
        1 => Just(Step::Expire),
        5 => (prop::option::weighted(0.8, 0..3usize), prop::option::weighted(0.8, 0..3u8), prop::option::weighted(0.9, 1..60u64), 0..60u64)
            .prop_map(|(by, value, ttl, grace)| Step::Set { by, value, ttl, grace }),
        8 => (0..40u64).prop_map(Step::Forward),
        1 => (30_000..130_000u64).prop_map(Step::Forward),
        2 => (0..40u64).prop_map(move |ms| if backwards { Step::Back(ms) } else { Step::Forward(ms) }),
        1 => Just(Step::Delete),
        1 => Just(Step::Failover),
    ];
    prop::collection::vec(step, 1..80)
}

/// The world and the model side by side.
struct HarnessAndModel {
    world: World,
    model: ModelEntry,
    granted: Vec<u64>,
}

impl HarnessAndModel {
    fn token(&self, nth_newest: usize) -> u64 {
        self.granted.iter().rev().nth(nth_newest).copied().unwrap_or(77)
    }

    fn getset(&mut self, request: GetSetRequest) -> String {
        let now = self.world.now;
        let before = blocks(self.world.primary.as_ref());
        let expected = self.model.getset(&request, now);
        let got = self.world.get(request);
        assert_eq!((got.state, got.value.as_deref().map(<[u8]>::to_vec), got.ms), expected);
        match (got.state, request.touch) {
            (State::Fill | State::Refresh | State::EarlyRefresh, _) => {
                assert!(self.granted.iter().all(|old| *old < got.token), "tokens strictly rise");
                self.granted.push(got.token);
                self.model.granted(got.state, got.token, request.lease, now);
            }
            (State::Hit, Some(touch)) => self.model.touched(now + touch),
            _ => {
                assert_eq!(got.token, 0);
                assert_eq!(before, blocks(self.world.primary.as_ref()), "a reader changes nothing");
            }
        }
        format!("{got:?}")
    }

    fn set(&mut self, set: &SetRequest<'_>) -> String {
        let before = blocks(self.world.primary.as_ref());
        let (answer, stores) = self.model.may_set(set.token, set.value);
        let got = self.world.set(set);
        assert_eq!(got, answer);
        if stores {
            self.model.set(set, self.world.now);
            if set.token.is_none() {
                // Its own token is never handed out, but follows the same order.
                let own = self.world.entry().highest_token();
                assert!(self.granted.iter().all(|old| *old < own));
            }
        } else {
            assert_eq!(before, blocks(self.world.primary.as_ref()), "a lost SET changes nothing");
        }
        format!("{got:?}")
    }

    fn bring(&mut self, set: &SetRequest<'_>) -> String {
        let now = self.world.now;
        let (state, bytes) = match self.model.fresh(now) {
            Some(value) if value.bytes.is_some() => (State::Hit, value.bytes.clone()),
            Some(_) => (State::Absent, None),
            None => (State::Stored, set.value.map(<[u8]>::to_vec)),
        };
        let got = self.world.bring(set);
        assert_eq!((got.state, got.value.as_deref().map(<[u8]>::to_vec), got.token), (state, bytes, 0));
        if state == State::Stored {
            assert_eq!(got.ms, set.ttl.map_or(-1, |ttl| ttl as i64));
            self.model.set(set, now);
        }
        format!("{got:?}")
    }

    fn step(&mut self, step: &Step) -> Option<String> {
        let now = self.world.now;
        match *step {
            Step::GetSet { lease, touch, early } => {
                let early = early.then_some(EarlyRefreshDraw { beta: 1_000, random: 1 << 62 });
                return Some(self.getset(GetSetRequest { lease, touch, early }));
            }
            Step::Set { by, value, ttl, grace } => {
                let (token, bytes) = (by.map(|by| self.token(by)), value.map(|value| [value]));
                let value = bytes.as_ref().map(|bytes| &bytes[..]);
                return Some(self.set(&SetRequest {
                    value,
                    token,
                    ttl,
                    grace: Some(grace),
                    client_meta: None,
                }));
            }
            Step::Bring { value, ttl, grace } => {
                let set = SetRequest {
                    value: Some(&[value]),
                    token: None,
                    ttl,
                    grace: Some(grace),
                    client_meta: None,
                };
                return Some(self.bring(&set));
            }
            Step::Release { by, delay } => {
                let token = self.token(by);
                assert_eq!(self.world.release(token, delay), self.model.release(token, delay, now));
            }
            Step::Expire => assert_eq!(self.world.expire(), self.model.expire(now)),
            Step::Forward(ms) => self.world.now += ms,
            Step::Back(ms) => self.world.now -= ms,
            Step::Delete => {
                self.world.delete();
                self.model = ModelEntry::default();
            }
            Step::Failover => {
                std::mem::swap(&mut self.world.primary, &mut self.world.replica);
                self.world.tokens.skip(now, 1 << 31);
            }
        }
        None
    }

    fn check(&self) {
        let World { primary, replica, now, tokens, .. } = &self.world;
        assert_eq!(blocks(primary.as_ref()), blocks(replica.as_ref()), "replica = primary");
        // Of all tokens at most one can store something new.
        let live = self.granted.iter().filter(|token| {
            let set = SetRequest {
                value: Some(b"other"),
                token: Some(**token),
                ttl: None,
                grace: None,
                client_meta: None,
            };
            let decision = decide_set(primary.as_ref(), &set, &DEFAULT_TERMS, *now, tokens).unwrap();
            assert_eq!(decision.reply, decision.effect.is_some());
            decision.reply
        });
        assert!(live.count() <= 1);
        let fresh = self.model.fresh(*now).and_then(|value| value.bytes.as_deref());
        assert_eq!(primary.as_ref().and_then(|entry| entry.view(*now)).as_deref(), fresh);
    }
}

/// Runs a history against the model and returns all answers.
fn play(steps: &[Step], sweeps: bool) -> Vec<String> {
    let world = World { sweeps, ..World::new() };
    let mut harness_and_model = HarnessAndModel { world, model: ModelEntry::default(), granted: Vec::new() };
    let mut answers = Vec::new();
    for step in steps {
        harness_and_model.world.sweep();
        if harness_and_model.model.ended(harness_and_model.world.now) {
            harness_and_model.model = ModelEntry::default();
        }
        answers.extend(harness_and_model.step(step));
        harness_and_model.check();
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_history_is_answered_as_the_model_answers_it(steps in steps(true)) {
        play(&steps, true);
    }

    #[test]
    fn it_makes_no_difference_when_the_server_removes_an_expired_key(steps in steps(false)) {
        prop_assert_eq!(play(&steps, true), play(&steps, false));
    }

    #[test]
    fn k_crashed_fillers_and_a_surviving_one_make_k_plus_1_fills(
        readers in prop::collection::vec(0..30u64, 1..200),
        crashes in 0..10usize,
        back in 0..50u64,
    ) {
        let mut world = World::new();
        let (mut fills, mut lapsed, mut holder, mut began) = (0, 0, None, 0);
        for (i, pause) in readers.into_iter().enumerate() {
            world.now += pause;
            if i == 20 {
                world.now -= back;
            }
            if fills > crashes && let Some(token) = holder.take() {
                // The surviving one fills it, for longer than this history.
                let stored = world.set(&SetRequest { ttl: None, ..with(token, b"v") });
                prop_assert!(stored);
            }
            match world.getset(100).state {
                State::Fill => {
                    if holder.is_some() {
                        prop_assert!(world.now - began >= 100, "while the lease lives there is one FILL");
                        lapsed += 1;
                    }
                    (fills, began) = (fills + 1, world.now);
                    holder = Some(world.entry().highest_token());
                }
                State::Busy => prop_assert!(holder.is_some()),
                State::Hit => prop_assert!(fills > crashes),
                State::Refresh | State::Stale | State::Absent | State::Stored | State::EarlyRefresh => prop_assert!(false, "nothing was stale"),
            }
            prop_assert!(fills <= lapsed + 1);
        }
        prop_assert!(fills <= crashes + 1);
    }
}
