//! A server with one queue and its replica, for the tests.

use super::*;
use crate::domain::codec::Corrupt;
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::{EPOCH_MS, TokenClock};
use crate::domain::value::{Effect as _, Value};

pub(super) const START: UnixMs = EPOCH_MS + 1_000_000;

/// A primary with one key, and a replica that only ever applies what the primary sends.
#[derive(Debug)]
pub(super) struct World {
    pub now: UnixMs,
    pub tokens: TokenClock,
    pub primary: Option<Queue>,
    pub replica: Option<Queue>,
    /// How many effects there have been.
    pub effects: u64,
}

impl World {
    pub fn new() -> Self {
        World { now: START, tokens: TokenClock::new(), primary: None, replica: None, effects: 0 }
    }

    /// As a command does it: first what is due, then the decision, then its effect.
    pub fn run<R>(
        &mut self,
        decide: impl FnOnce(Option<&Queue>, UnixMs, &TokenClock) -> Result<Decision<R, Effect>, Refusal>,
    ) -> Result<R, Refusal> {
        if let Some(effect) = self.primary.as_ref().and_then(|queue| queue.overdue(self.now)) {
            self.commit(effect);
        }
        let Decision { reply, effect } = decide(self.primary.as_ref(), self.now, &self.tokens)?;
        if let Some(effect) = effect {
            self.commit(effect);
        }
        Ok(reply)
    }

    fn commit(&mut self, effect: Effect) {
        self.effects += 1;
        self.tokens.saw(effect.highest_token());
        let sent = Effect::decode(&effect.encode(), effect.payload()).expect("what was encoded");
        assert_eq!(sent, effect);
        self.primary.get_or_insert_default().apply(effect);
        self.replica.get_or_insert_default().apply(sent);
    }

    /// A command that changes nothing of its own, so that only what is due happens.
    pub fn advance(&mut self) {
        self.run(|_, _, _| Ok(Decision::answer(()))).expect("never refused");
    }

    pub fn push(&mut self, push: &Push<'_>) -> Pushed {
        self.run(|queue, now, _| decide_push(queue, push, now)).expect("never refused")
    }

    pub fn pop(&mut self, count: usize, lease: Option<u64>) -> Vec<Popped<'static>> {
        let pop = Pop { count, lease };
        let owned = |d: Decision<Vec<Popped<'_>>, Effect>| Decision {
            reply: d.reply.into_iter().map(Popped::into_owned).collect(),
            effect: d.effect,
        };
        self.run(|queue, now, tokens| Ok(owned(decide_pop(queue, &pop, now, tokens)))).expect("never refused")
    }

    /// The one job that must be there.
    pub fn pop_one(&mut self) -> Popped<'static> {
        let mut popped = self.pop(1, Some(100));
        assert_eq!(popped.len(), 1, "a job to pop");
        popped.remove(0)
    }

    pub fn ack(&mut self, id: &[u8], token: u64) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_ack(queue, id, token, None, now))
    }

    pub fn fail(&mut self, id: &[u8], token: u64, fail: &Fail<'_>) -> Result<Failed, Refusal> {
        self.run(|queue, now, _| decide_fail(queue, id, token, fail, now))
    }

    pub fn release(&mut self, id: &[u8], token: u64, delay: u64) -> Result<(), Refusal> {
        self.run(|queue, now, _| decide_release(queue, id, token, delay, now))
    }

    pub fn extend(&mut self, id: &[u8], token: u64, lease: Option<u64>) -> Result<Extended, Refusal> {
        self.run(|queue, now, _| decide_extend(queue, id, token, lease, now))
    }

    pub fn cancel(&mut self, ids: &[&[u8]]) -> Vec<Cancelled> {
        self.run(|queue, now, _| Ok(decide_cancel(queue, ids, now))).expect("never refused")
    }

    pub fn redrive(&mut self, redrive: &Redrive<'_>) -> Moved {
        self.run(|queue, now, _| Ok(decide_redrive(queue, redrive, now))).expect("never refused")
    }

    pub fn purge(&mut self, state: State, older: u64) -> Moved {
        self.run(|queue, now, _| Ok(decide_purge(queue, state, older, 1_000, now))).expect("never refused")
    }

    pub fn queue(&self) -> &Queue {
        self.primary.as_ref().expect("a queue")
    }

    pub fn state(&self, id: &[u8]) -> State {
        job(self.primary.as_ref(), id, self.now).expect("the job").state
    }
}

/// A job without options.
pub(super) fn plain(payload: &[u8]) -> Push<'_> {
    Push {
        payload,
        id: None,
        must_match: false,
        name: None,
        meta: None,
        due: Due::After(0),
        priority: 0,
        lifo: false,
        retries: 3,
        backoff: None,
        lease: None,
    }
}

/// A job with an id, which is its payload too.
pub(super) fn named(id: &[u8]) -> Push<'_> {
    Push { id: Some(id), ..plain(id) }
}

pub(super) const FAIL: Fail<'_> = Fail { error: None, delay: None, dead: false, chance: 0 };

pub(super) fn blocks(queue: Option<&Queue>) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    if let Some(queue) = queue {
        queue.save(&mut |block| blocks.push(block.to_vec()));
    }
    blocks
}

pub(super) fn saved(queue: &Queue) -> Vec<Vec<u8>> {
    blocks(Some(queue))
}

pub(super) fn loaded(blocks: &[Vec<u8>]) -> Result<Queue, Corrupt> {
    let mut queue = Queue::default();
    for block in blocks {
        queue.load(Queue::ENCODING, block)?;
    }
    queue.loaded()?;
    Ok(queue)
}

/// The same queue again, by way of its saved form.
pub(super) fn reloaded(queue: &Queue) -> Queue {
    loaded(&saved(queue)).expect("what was saved")
}

/// The queue as it will be when all that is due by `now` has happened.
pub(super) fn advanced(queue: &Queue, now: UnixMs) -> Queue {
    let mut queue = reloaded(queue);
    while let Some(effect) = queue.overdue(now) {
        queue.apply(effect);
    }
    queue
}

/// Every index against the jobs themselves.
pub(super) fn check_indexes(queue: &Queue) {
    for state in State::ALL {
        let jobs = queue.jobs.iter().filter(|(_, job)| job.state == state);
        let mut expected: Vec<_> = jobs.map(|(serial, job)| (*serial, job)).collect();
        expected.sort_by_key(|(serial, job)| match state {
            State::Ready if job.lifo => (job.priority, 0, u64::MAX - job.at, u64::MAX - serial),
            State::Ready => (job.priority, 1, job.at, *serial),
            _ => (0, 0, job.at, *serial),
        });
        let expected: Vec<_> = expected.into_iter().map(|(serial, _)| serial).collect();
        assert_eq!(queue.serials(state).collect::<Vec<_>>(), expected, "{state:?}");
        assert_eq!(queue.count(state), expected.len(), "{state:?}");
    }
    let weight: usize = queue.jobs.values().map(|job| job.weight()).sum();
    assert_eq!(queue.weight, weight);
    for (serial, job) in &queue.jobs {
        let (found, same) = queue.find(&job.shown_id(*serial)).expect("by its id");
        assert_eq!((found, same), (*serial, &**job));
        assert!(*serial < queue.next_serial && job.token <= queue.highest_token);
    }
}
