//! The entry under any history, against a naive model: a value with its two ends, and the last lease.

use proptest::prelude::*;

use super::world::*;
use super::*;
use crate::domain::time::UnixMs;
use crate::domain::value::Value;

#[derive(Debug, Clone, Default)]
struct Row {
    value: Option<Stored>,
    lease: Option<Granted>,
}

#[derive(Debug, Clone)]
struct Stored {
    /// Nothing where absence was stored.
    bytes: Option<Vec<u8>>,
    /// The lease's token that it came with, if any.
    by: Option<u64>,
    fresh_until: Option<UnixMs>,
    grace: u64,
}

impl Stored {
    fn gone_at(&self) -> Option<UnixMs> {
        self.fresh_until.map(|end| end + self.grace)
    }
}

#[derive(Debug, Clone)]
struct Granted {
    token: u64,
    at: UnixMs,
    span: u64,
    released: bool,
}

impl Row {
    fn lease_left(&self, now: UnixMs) -> u64 {
        self.lease.as_ref().map_or(0, |lease| lease.span.saturating_sub(now.saturating_sub(lease.at)))
    }

    fn served(&self, now: UnixMs) -> Option<&Stored> {
        self.value.as_ref().filter(|value| value.gone_at().is_none_or(|gone| now < gone))
    }

    fn ended(&self, now: UnixMs) -> bool {
        let times = |lease: &Granted| if lease.released { 1 } else { 2 };
        let remembered = |lease: &Granted| now < lease.at + (times(lease) * lease.span).max(60_000);
        self.served(now).is_none() && !self.lease.as_ref().is_some_and(remembered)
    }
}

#[derive(Debug, Clone)]
enum Step {
    GetSet {
        lease: u64,
        touch: Option<u64>,
    },
    /// By the n-th newest token that was ever granted, or by none.
    Set {
        by: Option<usize>,
        value: Option<u8>,
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
        8 => (1..40u64).prop_map(|lease| Step::GetSet { lease, touch: None }),
        2 => (1..40u64, 1..40u64).prop_map(|(lease, touch)| Step::GetSet { lease, touch: Some(touch) }),
        1 => (30_000..90_000u64).prop_map(|lease| Step::GetSet { lease, touch: None }),
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

/// Runs a history against the model and returns all answers.
fn play(steps: &[Step], sweeps: bool) -> Vec<String> {
    let mut world = World { sweeps, ..World::new() };
    let mut row = Row::default();
    let mut granted: Vec<u64> = Vec::new();
    let mut answers = Vec::new();
    for step in steps {
        let now = world.now;
        world.sweep();
        if row.ended(now) {
            row = Row::default();
        }
        let before = blocks(world.primary.as_ref());
        match *step {
            Step::GetSet { lease, touch } => {
                let left = row.lease_left(now);
                let got = world.get(GetSet { lease, touch, early: None });
                answers.push(format!("{got:?}"));
                let mut touched = None;
                let expected = match row.served(now) {
                    Some(value) if value.fresh_until.is_none_or(|end| now < end) => {
                        let ms = value.fresh_until.map_or(-1, |end| (end - now) as i64);
                        match (&value.bytes, touch) {
                            (None, _) => (State::Absent, None, ms),
                            (bytes, None) => (State::Hit, bytes.as_deref(), ms),
                            (bytes, Some(touch)) => {
                                touched = Some(now + touch);
                                (State::Hit, bytes.as_deref(), touch as i64)
                            }
                        }
                    }
                    Some(value) if left > 0 => {
                        (State::Stale, value.bytes.as_deref(), (value.gone_at().unwrap() - now) as i64)
                    }
                    Some(value) => (State::Refresh, value.bytes.as_deref(), lease as i64),
                    None if left > 0 => (State::Busy, None, left as i64),
                    None => (State::Fill, None, lease as i64),
                };
                assert_eq!(brief(&got), expected);
                if matches!(got.state, State::Fill | State::Refresh) {
                    assert!(granted.iter().all(|old| *old < got.token), "tokens strictly rise");
                    granted.push(got.token);
                    row.lease = Some(Granted { token: got.token, at: now, span: lease, released: false });
                    if got.state == State::Fill {
                        row.value = None;
                    }
                } else if touched.is_some() {
                    row.value.as_mut().unwrap().fresh_until = touched;
                } else {
                    assert_eq!(got.token, 0);
                    assert_eq!(before, blocks(world.primary.as_ref()), "a reader changes nothing");
                }
            }
            Step::Set { by, value, ttl, grace } => {
                let token = by.map(|by| granted.iter().rev().nth(by).copied().unwrap_or(77));
                let bytes = value.map(|value| vec![value]);
                let came_with = row.value.as_ref().filter(|value| value.by.is_some() && value.by == token);
                let (answer, stores) = match (token, &row.lease) {
                    (None, _) => (true, true),
                    (Some(token), Some(lease)) if lease.token == token => (!lease.released, !lease.released),
                    (Some(_), Some(_)) => (came_with.is_some_and(|value| value.bytes == bytes), false),
                    (Some(_), None) => (came_with.is_some(), came_with.is_some()),
                };
                let got = world.set(&Set { value: bytes.as_deref(), token, ttl, grace: Some(grace) });
                answers.push(format!("{got:?}"));
                assert_eq!(got, answer);
                // Absence lasts a minute unless told otherwise, and is never stale.
                let (ttl, grace) = match value {
                    Some(_) => (ttl, grace),
                    None => (ttl.or(Some(60_000)), 0),
                };
                if stores {
                    row = Row {
                        value: Some(Stored {
                            bytes,
                            by: token,
                            fresh_until: ttl.map(|ttl| now + ttl),
                            grace,
                        }),
                        lease: None,
                    };
                    if token.is_none() {
                        // Its own token is never handed out, but stands in the same order.
                        let own = world.entry().highest_token();
                        assert!(granted.iter().all(|old| *old < own));
                    }
                } else {
                    assert_eq!(before, blocks(world.primary.as_ref()), "a lost SET changes nothing");
                }
            }
            Step::Release { by, delay } => {
                let token = granted.iter().rev().nth(by).copied().unwrap_or(77);
                let got = world.release(token, delay);
                answers.push(format!("{got:?}"));
                match row.lease.as_mut().filter(|lease| lease.token == token) {
                    None => assert!(!got),
                    Some(lease) => {
                        assert!(got);
                        if !lease.released {
                            *lease = Granted { token, at: now, span: delay, released: true };
                        }
                    }
                }
            }
            Step::Expire => {
                let got = world.expire();
                answers.push(format!("{got:?}"));
                assert_eq!(got, !row.ended(now) && (row.value.is_some() || row.lease.is_some()));
                row.lease = None;
                row.value = row.value.filter(|value| value.grace > 0).map(|value| Stored {
                    fresh_until: Some(value.fresh_until.map_or(now, |end| end.min(now))),
                    // Its token is worth nothing any more.
                    by: None,
                    ..value
                });
            }
            Step::Forward(ms) => world.now += ms,
            Step::Back(ms) => world.now -= ms,
            Step::Delete => {
                world.delete();
                row = Row::default();
            }
            Step::Failover => {
                std::mem::swap(&mut world.primary, &mut world.replica);
                world.tokens.skip(now);
            }
        }
        assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()), "replica = primary");
        // Of all tokens at most one can store something new.
        let live = granted.iter().filter(|token| {
            let set = Set { value: Some(b"other"), token: Some(**token), ttl: None, grace: None };
            let decision =
                decide_set(world.primary.as_ref(), &set, &TERMS, world.now, &world.tokens).unwrap();
            assert_eq!(decision.reply, decision.effect.is_some());
            decision.reply
        });
        assert!(live.count() <= 1);
        let fresh = row
            .served(world.now)
            .filter(|value| value.fresh_until.is_none_or(|end| world.now < end))
            .and_then(|value| value.bytes.as_deref());
        assert_eq!(world.primary.as_ref().and_then(|entry| entry.view(world.now)).as_deref(), fresh);
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
                let stored = world.set(&Set { ttl: None, ..with(token, b"v") });
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
                State::Refresh | State::Stale | State::Absent | State::Stored | State::Elected => prop_assert!(false, "nothing was stale"),
            }
            prop_assert!(fills <= lapsed + 1);
        }
        prop_assert!(fills <= crashes + 1);
    }
}
