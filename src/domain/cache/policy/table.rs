//! The policies of a server, by the prefixes that they rule.

use crate::domain::cache::invalidation::LONGEST_PREFIX;
use crate::domain::cache::policy::Policy;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::global_state::{Named, Table, load_named, save_named};
use crate::domain::refusal::Refusal;
use crate::domain::value;
use std::ops::Bound;

/// Policies on one server.
pub const MOST_POLICIES: usize = 500;

/// A key is ruled by the longest prefix that it begins with.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Policies(Named<Policy>);

impl Policies {
    /// The prefix that rules a key, and its policy.
    pub fn of(&self, key: &[u8]) -> Option<(&[u8], &Policy)> {
        let mut key = key;
        // The greatest that is not above the key is its longest prefix, or shares a shorter part with it, and
        // then so do all prefixes of the key that are left.
        while let Some((prefix, policy)) = self.at_most(key) {
            let shared = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if shared == prefix.len() {
                return Some((prefix, policy));
            }
            key = &key[..shared];
        }
        None
    }

    fn at_most(&self, key: &[u8]) -> Option<(&[u8], &Policy)> {
        let mut up_to_it = self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
        up_to_it.next_back().map(|(prefix, policy)| (&prefix[..], policy))
    }

    pub fn get(&self, prefix: &[u8]) -> Option<&Policy> {
        self.0.get(prefix)
    }

    /// In the order of the prefixes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Policy)> {
        self.0.iter().map(|(prefix, policy)| (&prefix[..], policy))
    }
}

/// A change of [`Policies`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEffect {
    pub prefix: Box<[u8]>,
    /// Nothing: it is deleted.
    pub policy: Option<Policy>,
}

/// CACHE.POLICY SET: the same policy again changes nothing.
pub fn decide_set_policy(
    policies: &Policies,
    prefix: &[u8],
    policy: Policy,
) -> Result<Decision<(), PolicyEffect>, Refusal> {
    if prefix.len() > LONGEST_PREFIX {
        let length = prefix.len();
        return Err(Refusal::err(format!("prefix of {length} bytes: at most {LONGEST_PREFIX} are allowed")));
    }
    policy.check()?;
    match policies.get(prefix) {
        Some(known) if *known == policy => return Ok(Decision::answer(())),
        None if policies.0.len() >= MOST_POLICIES => {
            let text =
                format!("too many policies: at most {MOST_POLICIES}, delete one with CACHE.POLICY DEL");
            return Err(Refusal::err(text));
        }
        _ => {}
    }
    Ok(Decision::change((), PolicyEffect { prefix: prefix.into(), policy: Some(policy) }))
}

/// CACHE.POLICY DEL: whether there was one.
pub fn decide_delete_policy(policies: &Policies, prefix: &[u8]) -> Decision<bool, PolicyEffect> {
    match policies.get(prefix) {
        Some(_) => Decision::change(true, PolicyEffect { prefix: prefix.into(), policy: None }),
        None => Decision::answer(false),
    }
}

impl value::Effect for PolicyEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.prefix);
        w.option(self.policy, |w, policy| policy.write(w));
        w.finish()
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut r = Reader::new(head);
        let prefix = r.bytes()?;
        let policy = r.option(Policy::read)?;
        r.end()?;
        if payload.is_some() || prefix.len() > LONGEST_PREFIX {
            return Err(Corrupt);
        }
        Ok(PolicyEffect { prefix: prefix.into(), policy })
    }
}

impl Table for Policies {
    type Effect = PolicyEffect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: PolicyEffect) {
        match effect.policy {
            Some(policy) => self.0.insert(effect.prefix, policy),
            None => self.0.remove(&effect.prefix),
        };
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn save(&self) -> Vec<u8> {
        save_named(&self.0, Policy::write)
    }

    fn load(_encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt> {
        load_named(bytes, |prefix| prefix.len() <= LONGEST_PREFIX, |_, r| Policy::read(r)).map(Policies)
    }
}
