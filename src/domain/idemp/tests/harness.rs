//! A server with one key and its replica, for the tests.

use crate::domain::decision::Decision;
use crate::domain::idemp::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::{EPOCH_MS, TokenClock};
use crate::domain::value::{Effect as _, Lifetime, Value};
use std::borrow::Cow;

pub(crate) const ROOMY: ResultLimits = ResultLimits { result: 1_000, meta: 1_000 };

pub(crate) type Answer<R> = Result<R, Code>;

/// A primary with one key, and a replica that only ever applies what the primary sends.
pub(crate) struct World {
    pub now: UnixMs,
    pub tokens: TokenClock,
    pub primary: Option<Record>,
    pub replica: Option<Record>,
    /// Whether expired keys are removed as soon as anyone looks, or stay until overwritten.
    pub sweeps: bool,
}

impl World {
    pub fn new() -> Self {
        World {
            now: EPOCH_MS + 1_000_000,
            tokens: TokenClock::new(),
            primary: None,
            replica: None,
            sweeps: true,
        }
    }

    /// What the server does with expired keys when a command opens them.
    pub fn sweep(&mut self) {
        if let Some(record) = &self.primary
            && let Lifetime::Until(end) = record.lifetime()
            && self.sweeps
            && self.now >= end
        {
            (self.primary, self.replica) = (None, None);
        }
    }

    pub fn run<R>(
        &mut self,
        decide: impl FnOnce(Option<&Record>, UnixMs, &TokenClock) -> Result<Decision<R, Effect>, Refusal>,
    ) -> Result<R, Refusal> {
        self.sweep();
        let Decision { reply, effect } = decide(self.primary.as_ref(), self.now, &self.tokens)?;
        if let Some(effect) = effect {
            let sent = Effect::decode(&effect.encode(), effect.payload()).unwrap();
            self.tokens.saw(effect.highest_token());
            commit(&mut self.primary, effect);
            commit(&mut self.replica, sent);
        }
        Ok(reply)
    }

    pub fn claim(&mut self, claim: &ClaimRequest<'_>) -> Result<ClaimReply<'static>, Refusal> {
        self.run(|state, now, tokens| {
            decide_claim(state, claim, now, tokens)
                .map(|d| Decision { reply: d.reply.into_owned(), effect: d.effect })
        })
    }

    pub fn complete(&mut self, token: u64, result: &[u8]) -> Answer<()> {
        self.complete_with(Completion { token, result, meta: None, ttl: None })
    }

    pub fn complete_with(&mut self, completion: Completion<'_>) -> Answer<()> {
        self.run(|state, now, _| decide_complete(state, &completion, ROOMY, now)).map_err(|r| r.code)
    }

    pub fn release(&mut self, token: u64, delay: u64) -> Answer<()> {
        self.run(|state, now, _| decide_release(state, token, delay, now)).map_err(|r| r.code)
    }

    pub fn extend(
        &mut self,
        token: u64,
        lease: Option<u64>,
        checkpoint: Option<&[u8]>,
    ) -> Result<u64, Refusal> {
        let extension = Extension { token, lease, checkpoint };
        self.run(|state, now, _| decide_extend(state, &extension, 1_000, now))
    }

    pub fn record(&self) -> &Record {
        self.primary.as_ref().expect("a record")
    }
}

pub(crate) fn commit(key: &mut Option<Record>, effect: Effect) {
    let mut record = key.take().unwrap_or_default();
    record.apply(effect);
    *key = Some(record).filter(|record| record.lifetime() != Lifetime::Over);
}

pub(crate) fn blocks(record: Option<&Record>) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    if let Some(record) = record {
        record.save(&mut |block| blocks.push(block.to_vec()));
    }
    blocks
}

pub(crate) fn claim(lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { lease, ttl, owner: None, fingerprint: None }
}

pub(crate) fn by(owner: &'static str, lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { owner: Some(Cow::Borrowed(owner.as_bytes())), ..claim(lease, ttl) }
}

pub(crate) fn about(content: &str, lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { fingerprint: Some(Fingerprint::from_fingerprint(content.as_bytes())), ..claim(lease, ttl) }
}
