//! An entry and its replica, with the commands as methods, for the tests.

use crate::domain::cache::*;
use crate::domain::decision::Decision;
use crate::domain::testing::primary_and_replica::PrimaryAndReplica;
use crate::domain::token::EPOCH_MS;

pub(crate) const DEFAULT_TERMS: EffectivePolicy =
    EffectivePolicy { policy: EMPTY_POLICY, limit: 100_000, random: 0 };

pub(crate) const EMPTY_POLICY: CachePolicy = CachePolicy {
    ttl: None,
    grace: None,
    jitter: None,
    absent_ttl: None,
    lease: None,
    early: None,
    compress: None,
    max_value: None,
};

pub(crate) type World = PrimaryAndReplica<CacheEntry>;

impl World {
    pub fn new() -> Self {
        World::at(EPOCH_MS + 1_000_000)
    }

    pub fn getset(&mut self, lease: u64) -> GetSetReply<'static> {
        self.get(GetSetRequest { lease, touch: None, early: None })
    }

    pub fn get(&mut self, request: GetSetRequest) -> GetSetReply<'static> {
        self.run(|state, now, tokens| {
            decide_getset(state, &request, now, tokens)
                .map(|d| Decision { reply: d.reply.into_owned(), effect: d.effect })
        })
        .unwrap()
    }

    pub fn set(&mut self, set: &SetRequest<'_>) -> bool {
        self.set_under(set, &DEFAULT_TERMS)
    }

    pub fn set_under(&mut self, set: &SetRequest<'_>, terms: &EffectivePolicy) -> bool {
        self.run(|state, now, tokens| decide_set(state, set, terms, now, tokens)).unwrap()
    }

    pub fn bring(&mut self, set: &SetRequest<'_>) -> GetSetReply<'static> {
        self.run(|state, now, tokens| {
            decide_getset_value(state, set, &DEFAULT_TERMS, now, tokens)
                .map(|d| Decision { reply: d.reply.into_owned(), effect: d.effect })
        })
        .unwrap()
    }

    pub fn release(&mut self, token: u64, delay: u64) -> bool {
        self.run(|state, now, _| decide_release(state, token, delay, now)).is_ok()
    }

    pub fn expire(&mut self) -> bool {
        self.run(|state, now, tokens| Ok(decide_expire(state, now, tokens))).unwrap()
    }

    /// The token of a lease that the next reader must get.
    pub fn granted(&mut self, state: State, lease: u64) -> u64 {
        let reply = self.getset(lease);
        assert_eq!((reply.state, reply.ms), (state, lease as i64));
        assert!(reply.token > 0);
        reply.token
    }

    pub fn entry(&self) -> &CacheEntry {
        self.primary.as_ref().expect("an entry")
    }
}

/// A SET with a TTL of 100 ms and a grace of 50 ms.
pub(crate) fn with(token: u64, value: &[u8]) -> SetRequest<'_> {
    SetRequest { value: Some(value), token: Some(token), ttl: Some(100), grace: Some(50), client_meta: None }
}

pub(crate) fn plain(value: &[u8]) -> SetRequest<'_> {
    SetRequest { value: Some(value), token: None, ttl: Some(100), grace: Some(50), client_meta: None }
}

pub(crate) fn brief<'a>(reply: &'a GetSetReply<'static>) -> (State, Option<&'a [u8]>, i64) {
    (reply.state, reply.value.as_deref(), reply.ms)
}
