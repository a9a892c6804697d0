//! MPUSH, MACK and MEXTEND: what several commands would do, in one.

use std::collections::HashSet;

use super::effect::{Change, Effect};
use super::finish::{Extended, decide_ack, decide_extend};
use super::push::{Push, Pushed, Pushing};
use super::queue::Queue;
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;

/// Decides an MPUSH: all of it or nothing. An id that stands twice is a duplicate the second time.
pub fn decide_push_many(
    queue: Option<&Queue>,
    pushes: &[Push<'_>],
    now: UnixMs,
) -> Result<Decision<Vec<Pushed>, Effect>, Refusal> {
    let mut pushing = Pushing::onto(queue, now);
    let (mut answers, mut changes, mut clock) = (Vec::with_capacity(pushes.len()), Vec::new(), now);
    for push in pushes {
        let decision = pushing.decide(push)?;
        answers.push(decision.reply);
        if let Some(effect) = decision.effect {
            clock = effect.now;
            changes.push(effect.change);
        }
    }
    Ok(decided(answers, changes, clock))
}

/// What a batch answers for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each<R> {
    Yes(R),
    /// There is no such job.
    Gone,
    Fenced,
}

/// Decides a MACK: each job by itself, as ACK would.
pub fn decide_ack_many(
    queue: Option<&Queue>,
    jobs: &[(&[u8], u64)],
    now: UnixMs,
) -> Decision<Vec<Each<()>>, Effect> {
    each(jobs, now, |id, token| decide_ack(queue, id, token, None, now))
}

/// Decides an MEXTEND: each job by itself, as EXTEND would.
pub fn decide_extend_many(
    queue: Option<&Queue>,
    jobs: &[(&[u8], u64)],
    lease: Option<u64>,
    now: UnixMs,
) -> Decision<Vec<Each<Extended>>, Effect> {
    each(jobs, now, |id, token| decide_extend(queue, id, token, lease, None, now))
}

fn each<R>(
    jobs: &[(&[u8], u64)],
    now: UnixMs,
    decide: impl Fn(&[u8], u64) -> Result<Decision<R, Effect>, Refusal>,
) -> Decision<Vec<Each<R>>, Effect> {
    let (mut answers, mut changes, mut clock) = (Vec::with_capacity(jobs.len()), Vec::new(), now);
    let mut seen = HashSet::new();
    for (id, token) in jobs {
        answers.push(match decide(id, *token) {
            Ok(decision) => {
                // The same again in one call changes nothing, as it would in two.
                if let Some(effect) = decision.effect.filter(|_| seen.insert(*id)) {
                    clock = effect.now;
                    changes.push(effect.change);
                }
                Each::Yes(decision.reply)
            }
            Err(refusal) if refusal.code == Code::NoJob => Each::Gone,
            Err(_) => Each::Fenced,
        });
    }
    decided(answers, changes, clock)
}

/// The answers, and the changes if there are any.
pub(super) fn decided<R>(answers: R, changes: Vec<Change>, now: UnixMs) -> Decision<R, Effect> {
    Decision { reply: answers, effect: Effect::of(changes, now) }
}
