//! A record and its replica, with the commands as methods, for the tests.

use crate::domain::decision::Decision;
use crate::domain::idemp::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::testing::primary_and_replica::PrimaryAndReplica;
use crate::domain::token::EPOCH_MS;
use std::borrow::Cow;

pub(crate) const ROOMY: ResultLimits = ResultLimits { result: 1_000, meta: 1_000 };

pub(crate) type Answer<R> = Result<R, Code>;

pub(crate) type World = PrimaryAndReplica<Record>;

impl World {
    pub fn new() -> Self {
        World::at(EPOCH_MS + 1_000_000)
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

pub(crate) fn claim(lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { lease, ttl, owner: None, fingerprint: None }
}

pub(crate) fn by(owner: &'static str, lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { owner: Some(Cow::Borrowed(owner.as_bytes())), ..claim(lease, ttl) }
}

pub(crate) fn about(content: &str, lease: u64, ttl: u64) -> ClaimRequest<'static> {
    ClaimRequest { fingerprint: Some(Fingerprint::from_fingerprint(content.as_bytes())), ..claim(lease, ttl) }
}
