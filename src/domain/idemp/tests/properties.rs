//! The record under any history, against a naive model: what is known of the key, judged by how
//! much time has passed since the last change.

use super::harness::*;
use crate::domain::idemp::*;
use crate::domain::refusal::Code;
use crate::domain::testing::saved_form::blocks;
use crate::domain::time::UnixMs;
use proptest::prelude::*;
use std::borrow::Cow;

#[derive(Debug, Clone)]
struct ModelRecord {
    token: u64,
    runs: u32,
    owner: Option<&'static str>,
    content: Option<&'static str>,
    checkpoint: Option<Vec<u8>>,
    changed: UnixMs,
    ttl: u64,
    phase: ModelPhase,
}

#[derive(Debug, Clone)]
enum ModelPhase {
    Working { lease: u64 },
    Rejected { pause: u64 },
    PackedResult { result: Vec<u8>, meta: Option<Vec<u8>> },
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

/// What the model says to a claim: the reply, and the row afterwards if it changes. The token of a
/// new lease is outside the model: it is 0 there.
fn model_claim(
    model: Option<&ModelRecord>,
    now: UnixMs,
    (lease, ttl): (u64, u64),
    owner: Option<&'static str>,
    content: Option<&'static str>,
) -> Answer<(ClaimReply<'static>, Option<ModelRecord>)> {
    let reply = |state, token, ms, attempt| ClaimReply { state, value: None, token, ms, attempt, meta: None };
    if lease > ttl {
        return Err(Code::Err);
    }
    let phase = ModelPhase::Working { lease };
    let fresh = ModelRecord { token: 0, runs: 1, owner, content, checkpoint: None, changed: now, ttl, phase };
    let Some(model) = model else {
        return Ok((reply(State::Claimed, 0, lease, 1), Some(fresh)));
    };
    if model.content.is_some() && content.is_some() && model.content != content {
        return Err(Code::Mismatch);
    }
    let passed = now.saturating_sub(model.changed);
    match &model.phase {
        ModelPhase::PackedResult { result, meta } => {
            let value = Some(Cow::Owned(result.clone()));
            let meta = meta.clone().map(Cow::Owned);
            Ok((ClaimReply { value, meta, ..reply(State::Done, 0, passed, model.runs) }, None))
        }
        ModelPhase::Working { lease } if passed < *lease && owner.is_some() && owner == model.owner => {
            let value = model.checkpoint.clone().map(Cow::Owned);
            Ok((ClaimReply { value, ..reply(State::Claimed, model.token, lease - passed, model.runs) }, None))
        }
        ModelPhase::Working { lease: wait } | ModelPhase::Rejected { pause: wait } if passed < *wait => {
            Ok((reply(State::Busy, 0, wait - passed, model.runs), None))
        }
        ModelPhase::Working { .. } | ModelPhase::Rejected { .. } => {
            let runs = model.runs + 1;
            let checkpoint = model.checkpoint.clone();
            let value = checkpoint.clone().map(Cow::Owned);
            let next = ModelRecord { runs, content: content.or(model.content), checkpoint, ..fresh };
            Ok((ClaimReply { value, ..reply(State::Claimed, 0, lease, runs) }, Some(next)))
        }
    }
}

fn ended(model: &ModelRecord, now: UnixMs) -> bool {
    let retention = match model.phase {
        ModelPhase::Rejected { pause } => model.ttl.max(pause),
        _ => model.ttl,
    };
    now.saturating_sub(model.changed) >= retention
}

/// Runs a history against the model and returns all answers.
fn play(steps: &[Step], sweeps: bool) -> Vec<String> {
    let mut world = World { sweeps, ..World::new() };
    let mut model: Option<ModelRecord> = None;
    let mut granted: Vec<u64> = Vec::new();
    let mut answers = Vec::new();
    for step in steps {
        let nth = |by: usize| granted.iter().rev().nth(by).copied().unwrap_or(77);
        if model.as_ref().is_some_and(|model| ended(model, world.now)) {
            model = None;
        }
        world.sweep();
        let now = world.now;
        match *step {
            Step::Claim { lease, ttl, owner, content } => {
                let request = ClaimRequest {
                    owner: owner.map(|owner| Cow::Borrowed(owner.as_bytes())),
                    fingerprint: content.map(|content| Fingerprint::from_fingerprint(content.as_bytes())),
                    ..claim(lease, ttl)
                };
                let expected = model_claim(model.as_ref(), now, (lease, ttl), owner, content);
                let before = blocks(world.primary.as_ref());
                let got = world.claim(&request).map_err(|refusal| refusal.code);
                answers.push(format!("{got:?}"));
                match (expected, got) {
                    (Ok((mut expected, next)), Ok(got)) => {
                        if let Some(next) = next {
                            assert!(granted.iter().all(|old| *old < got.token), "tokens strictly rise");
                            granted.push(got.token);
                            expected.token = got.token;
                            model = Some(ModelRecord { token: got.token, ..next });
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
                let expected = match &model {
                    Some(model) if model.token == token => match &model.phase {
                        ModelPhase::Working { .. } => Ok(true),
                        ModelPhase::PackedResult { result: kept, .. } if *kept == result => Ok(false),
                        ModelPhase::PackedResult { .. } => Err(Code::Mismatch),
                        ModelPhase::Rejected { .. } => Err(Code::Fenced),
                    },
                    _ => Err(Code::Fenced),
                };
                let completion = Completion { token, result: &result, meta: meta.as_deref(), ttl };
                let got = world.complete_with(completion);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected.map(|_| ()));
                if let (Ok(true), Some(model)) = (expected, &mut model) {
                    model.phase = ModelPhase::PackedResult { result, meta };
                    (model.changed, model.ttl) = (now, ttl.unwrap_or(model.ttl));
                }
            }
            Step::Release { by, delay } => {
                let token = nth(by);
                let expected = match &model {
                    Some(model) if model.token == token => match &model.phase {
                        ModelPhase::Working { .. } => Ok(true),
                        ModelPhase::Rejected { .. } => Ok(false),
                        ModelPhase::PackedResult { .. } => Err(Code::Fenced),
                    },
                    _ => Err(Code::Fenced),
                };
                let got = world.release(token, delay);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected.map(|_| ()));
                if let (Ok(true), Some(model)) = (expected, &mut model) {
                    model.phase = ModelPhase::Rejected { pause: delay };
                    model.changed = now;
                }
            }
            Step::Extend { by, lease, checkpoint } => {
                let token = nth(by);
                let checkpoint = checkpoint.map(|byte| vec![byte]);
                let expected = match &model {
                    Some(ModelRecord {
                        token: last,
                        ttl,
                        phase: ModelPhase::Working { lease: held },
                        ..
                    }) if *last == token => {
                        let lease = lease.unwrap_or(*held);
                        if lease <= *ttl { Ok(lease) } else { Err(Code::Err) }
                    }
                    _ => Err(Code::Fenced),
                };
                let got = world.extend(token, lease, checkpoint.as_deref()).map_err(|r| r.code);
                answers.push(format!("{got:?}"));
                assert_eq!(got, expected);
                if let (Ok(lease), Some(model)) = (expected, &mut model) {
                    model.phase = ModelPhase::Working { lease };
                    model.changed = now;
                    model.checkpoint = checkpoint.or(model.checkpoint.take());
                }
            }
            Step::Forward(ms) => world.now += ms,
            Step::Back(ms) => world.now -= ms,
            Step::Delete => {
                (world.primary, world.replica, model) = (None, None, None);
            }
            Step::Failover => {
                std::mem::swap(&mut world.primary, &mut world.replica);
                world.tokens.skip(now, 1 << 31);
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
        if let Some(model) = &model
            && !ended(model, world.now)
        {
            let view = world.record().view(world.now).unwrap();
            let expected = match model_claim(Some(model), world.now, (1, 1), None, None).unwrap() {
                (reply, None) if reply.state == State::Done => (RecordState::Done, reply.ms),
                (reply, None) if matches!(model.phase, ModelPhase::Working { .. }) => {
                    (RecordState::Claimed, reply.ms)
                }
                (reply, None) => (RecordState::Delayed, reply.ms),
                (_, Some(_)) => (RecordState::Free, 0),
            };
            assert_eq!((view.state, view.ms, view.attempt), (expected.0, expected.1, model.runs));
            let checkpoint = model.checkpoint.as_deref().filter(|_| view.state != RecordState::Done);
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
