//! A server with one key and its replica. The primary decides and applies; the replica applies what
//! the primary sends.

use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::{Effect, Lifetime, Value};
use std::fmt::Debug;

#[derive(Debug)]
pub(crate) struct PrimaryAndReplica<V> {
    pub now: UnixMs,
    pub tokens: TokenClock,
    pub primary: Option<V>,
    pub replica: Option<V>,
    /// Whether an expired key is removed as soon as anyone looks, or stays until it is overwritten.
    pub sweeps: bool,
    /// How many effects there have been.
    pub effects: u64,
}

impl<V> PrimaryAndReplica<V>
where
    V: Value,
    V::Effect: Debug + PartialEq,
{
    pub fn at(now: UnixMs) -> Self {
        let tokens = TokenClock::new();
        PrimaryAndReplica { now, tokens, primary: None, replica: None, sweeps: true, effects: 0 }
    }

    /// As a command does it: first the expiry of the key, then what is due, then the decision and
    /// its effect.
    pub fn run<R>(
        &mut self,
        decide: impl FnOnce(Option<&V>, UnixMs, &TokenClock) -> Result<Decision<R, V::Effect>, Refusal>,
    ) -> Result<R, Refusal> {
        self.sweep();
        if let Some(effect) = self.primary.as_ref().and_then(|value| value.overdue(self.now)) {
            self.send(effect);
        }
        let Decision { reply, effect } = decide(self.primary.as_ref(), self.now, &self.tokens)?;
        if let Some(effect) = effect {
            self.send(effect);
        }
        Ok(reply)
    }

    /// The primary applies the effect; the replica applies what it reads from the wire.
    pub fn send(&mut self, effect: V::Effect) {
        self.effects += 1;
        self.tokens.saw(effect.highest_token());
        let sent = V::Effect::decode(&effect.encode(), effect.payload())
            .unwrap_or_else(|_| panic!("not read back: {effect:?}"));
        assert_eq!(sent, effect);
        for (key, effect) in [(&mut self.primary, effect), (&mut self.replica, sent)] {
            key.get_or_insert_default().apply(effect);
            key.take_if(|value| value.lifetime() == Lifetime::Over);
        }
    }

    pub fn delete(&mut self) {
        (self.primary, self.replica) = (None, None);
    }

    /// What the server does with an expired key when a command opens it.
    pub fn sweep(&mut self) {
        let end = match self.primary.as_ref().map(V::lifetime) {
            Some(Lifetime::Until(end)) => end,
            _ => return,
        };
        if self.sweeps && self.now >= end {
            self.delete();
        }
    }
}
