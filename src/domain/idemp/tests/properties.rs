//! The record under any history, against a naive model: what is known of the key, judged by how much
//! time has passed since the last change.

use super::harness::*;
use crate::domain::idemp::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;
use proptest::prelude::*;
use std::borrow::Cow;

#[derive(Debug, Clone)]
struct Row {
    token: u64,
    runs: u32,
    owner: Option<&'static str>,
    content: Option<&'static str>,
    checkpoint: Option<Vec<u8>>,
    changed: UnixMs,
    ttl: u64,
    phase: Phase,
}

#[derive(Debug, Clone)]
enum Phase {
    Working { lease: u64 },
    Rejected { pause: u64 },
    Finished { result: Vec<u8>, meta: Option<Vec<u8>> },
}

#[derive(Debug, Clone)]
enum Step {
    Claim {
        lease: u64,
        ttl: u64,
        owner: Option<&'static str>,
        content: Option<&'static str>,
    },
    /// By the n-th newest token that was ever granted.
    Complete {
        by: usize,
        result: u8,
        meta: Option<u8>,
        ttl: Option<u64>,
    },
    Release {
        by: usize,
        delay: u64,
    },
    Extend {
        by: usize,
        lease: Option<u64>,
        checkpoint: Option<u8>,
    },
    Forward(u64),
    Back(u64),
    Delete,
    /// The replica takes over: its token clock skips.
    Failover,
}

fn steps(backwards: bool) -> impl Strategy<Value = Vec<Step>> {
    let name = || prop::option::of(prop::sample::select(vec!["a", "b"]));
    let step = prop_oneof![
        8 => (1..40u64, 1..80u64, name(), name())
            .prop_map(|(lease, ttl, owner, content)| Step::Claim { lease, ttl, owner, content }),
        4 => (0..3usize, 0..3u8, any::<Option<bool>>(), prop::option::of(1..80u64))
            .prop_map(|(by, result, meta, ttl)| Step::Complete { by, result, meta: meta.map(u8::from), ttl }),
        3 => (0..3usize, 0..100u64).prop_map(|(by, delay)| Step::Release { by, delay }),
        4 => (0..3usize, prop::option::of(1..60u64), any::<Option<u8>>())
            .prop_map(|(by, lease, checkpoint)| Step::Extend { by, lease, checkpoint }),
        8 => (0..40u64).prop_map(Step::Forward),
        2 => (0..40u64).prop_map(move |ms| if backwards { Step::Back(ms) } else { Step::Forward(ms) }),
        1 => Just(Step::Delete),
        1 => Just(Step::Failover),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the model says to a claim: the reply, and the row afterwards if it changes. The token of a new
/// lease is not the model's business: 0 stands for it.
fn model_claim(
    row: Option<&Row>,
    now: UnixMs,
    (lease, ttl): (u64, u64),
    owner: Option<&'static str>,
    content: Option<&'static str>,
) -> Answer<(Reply<'static>, Option<Row>)> {
    let reply = |state, token, ms, attempt| Reply { state, value: None, token, ms, attempt, meta: None };
    if lease > ttl {
        return Err(Code::Err);
    }
    let phase = Phase::Working { lease };
    let fresh = Row { token: 0, runs: 1, owner, content, checkpoint: None, changed: now, ttl, phase };
    let Some(row) = row else {
        return Ok((reply(State::Claimed, 0, lease, 1), Some(fresh)));
    };
    if row.content.is_some() && content.is_some() && row.content != content {
        return Err(Code::Mismatch);
    }
    let passed = now.saturating_sub(row.changed);
    match &row.phase {
        Phase::Finished { result, meta } => {
            let value = Some(Cow::Owned(result.clone()));
            let meta = meta.clone().map(Cow::Owned);
            Ok((Reply { value, meta, ..reply(State::Done, 0, passed, row.runs) }, None))
        }
        Phase::Working { lease } if passed < *lease && owner.is_some() && owner == row.owner => {
            let value = row.checkpoint.clone().map(Cow::Owned);
            Ok((Reply { value, ..reply(State::Claimed, row.token, lease - passed, row.runs) }, None))
        }
        Phase::Working { lease: wait } | Phase::Rejected { pause: wait } if passed < *wait => {
            Ok((reply(State::Busy, 0, wait - passed, row.runs), None))
        }
        Phase::Working { .. } | Phase::Rejected { .. } => {
            let runs = row.runs + 1;
            let checkpoint = row.checkpoint.clone();
            let value = checkpoint.clone().map(Cow::Owned);
            let next = Row { runs, content: content.or(row.content), checkpoint, ..fresh };
            Ok((Reply { value, ..reply(State::Claimed, 0, lease, runs) }, Some(next)))
        }
    }
}

fn ended(row: &Row, now: UnixMs) -> bool {
    let life = match row.phase {
        Phase::Rejected { pause } => row.ttl.max(pause),
        _ => row.ttl,
    };
    now.saturating_sub(row.changed) >= life
}

/// Runs a history against the model and returns all answers.
fn play(steps: &[Step], sweeps: bool) -> Vec<String> {
    let mut world = World { sweeps, ..World::new() };
    let mut row: Option<Row> = None;
    let mut granted: Vec<u64> = Vec::new();
    let mut answers = Vec::new();
    for step in steps {
        let nth = |by: usize| granted.iter().rev().nth(by).copied().unwrap_or(77);
        if row.as_ref().is_some_and(|row| ended(row, world.now)) {
            row = None;
        }
        world.sweep();
        let now = world.now;
        match *step {
            Step::Claim { lease, ttl, owner, content } => {
                let request = Claim {
                    owner: owner.map(|owner| Cow::Borrowed(owner.as_bytes())),
                    fingerprint: content.map(|content| Fingerprint::of_given(content.as_bytes())),
                    ..claim(lease, ttl)
                };
                let expected = model_claim(row.as_ref(), now, (lease, ttl), owner, content);
                let before = blocks(world.primary.as_ref());
                let got = world.claim(&request).map_err(|refusal| refusal.code);
                answers.push(format!("{got:?}"));
                match (expected, got) {
                    (Ok((mut expected, next)), Ok(got)) => {
                        if let Some(next) = next {
                            assert!(granted.iter().all(|old| *old < got.token), "tokens strictly rise");
                            granted.push(got.token);
                            expected.token = got.token;
                            row = Some(Row { token: got.token, ..next });
                        } else {
                            assert_eq!(before, blocks(world.primary.as_ref()), "nothing was granted");
                        }
                        assert_eq!(got, expected);
                    }
                    (expected, got) => {
                        assert_eq!(expected.map(|(reply, _)| reply), got);
                        assert_eq!(before, blocks(world.primary.as_ref()), "a refusal changes nothing");
                    }
                }
            }
            Step::Complete { by, result, meta, ttl } => {
                let token = nth(by);
                let (result, meta) = (vec![result], meta.map(|meta| vec![meta]));
                let expected = match &row {
                    Some(row) if row.token == token => match &row.phase {
                        Phase::Working { .. } => Ok(true),
                        Phase::Finished { result: kept, .. } if *kept == result => Ok(false),
                        Phase::Finished { .. } => Err(Code::Mismatch),
                        Phase::Rejected { .. } => Err(Code::Fenced),
                    },
                    _ => Err(Code::Fenced),
                };
                let completion = Completion { token, result: &result, meta: meta.as_deref(), ttl };
                let got = world.complete_with(completion);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected.map(|_| ()));
                if let (Ok(true), Some(row)) = (expected, &mut row) {
                    row.phase = Phase::Finished { result, meta };
                    (row.changed, row.ttl) = (now, ttl.unwrap_or(row.ttl));
                }
            }
            Step::Release { by, delay } => {
                let token = nth(by);
                let expected = match &row {
                    Some(row) if row.token == token => match &row.phase {
                        Phase::Working { .. } => Ok(true),
                        Phase::Rejected { .. } => Ok(false),
                        Phase::Finished { .. } => Err(Code::Fenced),
                    },
                    _ => Err(Code::Fenced),
                };
                let got = world.release(token, delay);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected.map(|_| ()));
                if let (Ok(true), Some(row)) = (expected, &mut row) {
                    row.phase = Phase::Rejected { pause: delay };
                    row.changed = now;
                }
            }
            Step::Extend { by, lease, checkpoint } => {
                let token = nth(by);
                let checkpoint = checkpoint.map(|byte| vec![byte]);
                let expected = match &row {
                    Some(Row { token: last, ttl, phase: Phase::Working { lease: held }, .. })
                        if *last == token =>
                    {
                        let lease = lease.unwrap_or(*held);
                        if lease <= *ttl { Ok(lease) } else { Err(Code::Err) }
                    }
                    _ => Err(Code::Fenced),
                };
                let got = world.extend(token, lease, checkpoint.as_deref()).map_err(|r| r.code);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected);
                if let (Ok(lease), Some(row)) = (expected, &mut row) {
                    row.phase = Phase::Working { lease };
                    row.changed = now;
                    row.checkpoint = checkpoint.or(row.checkpoint.take());
                }
            }
            Step::Forward(ms) => world.now += ms,
            Step::Back(ms) => world.now -= ms,
            Step::Delete => {
                (world.primary, world.replica, row) = (None, None, None);
            }
            Step::Failover => {
                std::mem::swap(&mut world.primary, &mut world.replica);
                world.tokens.skip(now);
            }
        }
        assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()), "replica = primary");
        // Only the last token can do anything.
        for old in granted.iter().rev().skip(1) {
            let completion = Completion { token: *old, result: b"late", meta: None, ttl: None };
            let late = decide_complete(world.primary.as_ref(), &completion, ROOMY, world.now);
            assert_eq!(late.unwrap_err().code, Code::Fenced);
            let extension = Extension { token: *old, lease: None, checkpoint: None };
            let late = decide_extend(world.primary.as_ref(), &extension, 10, world.now);
            assert_eq!(late.unwrap_err().code, Code::Fenced);
            let late = decide_release(world.primary.as_ref(), *old, 0, world.now);
            assert_eq!(late.unwrap_err().code, Code::Fenced);
        }
        // A read agrees with what a claim would be told.
        if let Some(row) = &row
            && !ended(row, world.now)
        {
            let view = world.record().view(world.now).unwrap();
            let expected = match model_claim(Some(row), world.now, (1, 1), None, None).unwrap() {
                (reply, None) if reply.state == State::Done => (Standing::Done, reply.ms),
                (reply, None) if matches!(row.phase, Phase::Working { .. }) => (Standing::Claimed, reply.ms),
                (reply, None) => (Standing::Delayed, reply.ms),
                (_, Some(_)) => (Standing::Free, 0),
            };
            assert_eq!((view.standing, view.ms, view.attempt), (expected.0, expected.1, row.runs));
            let checkpoint = row.checkpoint.as_deref().filter(|_| view.standing != Standing::Done);
            assert_eq!(view.checkpoint, checkpoint);
        } else {
            assert_eq!(world.primary.as_ref().and_then(|record| record.view(world.now)), None);
        }
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
}
