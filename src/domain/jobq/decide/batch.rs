//! MPUSH, MACK and MEXTEND: what several commands would do, in one.

use crate::domain::decision::Decision;
use crate::domain::jobq::decide::push::{Push, PushBatch, Pushed};
use crate::domain::jobq::decide::settle::{Extended, decide_extend, find_to_ack};
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;

/// Decides an MPUSH: all of it or nothing. The second of two equal ids in one call is a duplicate.
pub fn decide_push_many(
    queue: Option<&Queue>,
    pushes: &[Push<'_>],
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<Vec<Pushed>, Effect>, Refusal> {
    let mut pushing = PushBatch::new(queue, now, tokens);
    let (mut answers, mut changes) = (Vec::with_capacity(pushes.len()), Vec::with_capacity(pushes.len()));
    let mut clock = now;
    for push in pushes {
        let decision = pushing.decide(push)?;
        answers.push(decision.reply);
        if let Some(effect) = decision.effect {
            clock = effect.now;
            changes.push(effect.change);
        }
    }
    Ok(with_changes(answers, changes, clock))
}

/// What a batch answers for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchResult<R> {
    Yes(R),
    /// There is no such job.
    Gone,
    Fenced,
}

impl<R> BatchResult<R> {
    fn of(answer: Result<R, Refusal>) -> Self {
        match answer {
            Ok(answer) => BatchResult::Yes(answer),
            Err(refusal) if refusal.code == Code::NoJob => BatchResult::Gone,
            Err(_) => BatchResult::Fenced,
        }
    }
}

/// Decides a MACK: every job as ACK would. A job that is named twice is acknowledged once.
pub fn decide_ack_many(
    queue: Option<&Queue>,
    jobs: &[(&[u8], u64)],
    now: UnixMs,
) -> Decision<Vec<BatchResult<()>>, Effect> {
    let (mut seen, mut serials) = (SeenSerials::default(), Vec::with_capacity(jobs.len()));
    let mut ack = |(id, token): &(&[u8], u64)| {
        let open = find_to_ack(queue, id, *token)?;
        serials.extend(open.filter(|serial| seen.first_time(*serial)));
        Ok(())
    };
    let answers = jobs.iter().map(|job| BatchResult::of(ack(job))).collect();
    let effect = (!serials.is_empty()).then_some(Effect { now, change: Change::AckMany { serials } });
    Decision { reply: answers, effect }
}

/// Decides an MEXTEND: every job as EXTEND would. Applying it twice changes nothing more.
pub fn decide_extend_many(
    queue: Option<&Queue>,
    jobs: &[(&[u8], u64)],
    lease: Option<u64>,
    now: UnixMs,
) -> Decision<Vec<BatchResult<Extended>>, Effect> {
    let (mut changes, mut clock) = (Vec::with_capacity(jobs.len()), now);
    let mut extend = |(id, token): &(&[u8], u64)| {
        let decision = decide_extend(queue, id, *token, lease, None, now)?;
        if let Some(effect) = decision.effect {
            clock = effect.now;
            changes.push(effect.change);
        }
        Ok(decision.reply)
    };
    let answers = jobs.iter().map(|job| BatchResult::of(extend(job))).collect();
    with_changes(answers, changes, clock)
}

/// The serials that a batch has named so far, sorted. Most batches name them in order.
#[derive(Default)]
struct SeenSerials(Vec<Serial>);

impl SeenSerials {
    fn first_time(&mut self, serial: Serial) -> bool {
        let place = self.0.binary_search(&serial);
        if let Err(at) = place {
            self.0.insert(at, serial);
        }
        place.is_err()
    }
}

/// Returns the answers together with one effect of all changes, if there are any.
pub(crate) fn with_changes<R>(answers: R, changes: Vec<Change>, now: UnixMs) -> Decision<R, Effect> {
    Decision { reply: answers, effect: Effect::from_changes(changes, now) }
}
