//! The policies of a server, by the prefixes that they rule.

use crate::domain::cache::invalidation::MAX_PREFIX_LEN;
use crate::domain::cache::policy::CachePolicy;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::global_state::{Named, Table, load_named, save_named};
use crate::domain::refusal::Refusal;
use crate::domain::value;
use std::ops::Bound;

/// Policies on one server.
pub const MAX_POLICIES: usize = 500;

/// A key is ruled by the longest prefix that it begins with.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CachePolicies(Named<CachePolicy>);

impl CachePolicies {
    /// The prefix that rules a key, and its policy.
    pub fn longest_match(&self, key: &[u8]) -> Option<(&[u8], &CachePolicy)> {
        let mut key = key;
        // The greatest that is not above the key is its longest prefix, or shares a shorter part
        // with it, and then so do all prefixes of the key that are left.
        while let Some((prefix, policy)) = self.last_at_most(key) {
            let shared = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if shared == prefix.len() {
                return Some((prefix, policy));
            }
            key = &key[..shared];
        }
        None
    }

    fn last_at_most(&self, key: &[u8]) -> Option<(&[u8], &CachePolicy)> {
        let mut up_to_it = self.0.range::<[u8], _>((Bound::Unbounded, Bound::Included(key)));
        up_to_it.next_back().map(|(prefix, policy)| (&prefix[..], policy))
    }

    pub fn get(&self, prefix: &[u8]) -> Option<&CachePolicy> {
        self.0.get(prefix)
    }

    /// In the order of the prefixes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &CachePolicy)> {
        self.0.iter().map(|(prefix, policy)| (&prefix[..], policy))
    }
}

/// A change of [`CachePolicies`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicyEffect {
    pub prefix: Box<[u8]>,
    /// Nothing: it is deleted.
    pub policy: Option<CachePolicy>,
}

/// CACHE.POLICY SET: the same policy again changes nothing.
pub fn decide_set_policy(
    policies: &CachePolicies,
    prefix: &[u8],
    policy: CachePolicy,
) -> Result<Decision<(), CachePolicyEffect>, Refusal> {
    if prefix.len() > MAX_PREFIX_LEN {
        let length = prefix.len();
        return Err(Refusal::err(format!("prefix of {length} bytes: at most {MAX_PREFIX_LEN} are allowed")));
    }
    policy.check()?;
    match policies.get(prefix) {
        Some(known) if *known == policy => return Ok(Decision::answer(())),
        None if policies.0.len() >= MAX_POLICIES => {
            let text = format!("too many policies: at most {MAX_POLICIES}, delete one with CACHE.POLICY DEL");
            return Err(Refusal::err(text));
        }
        _ => {}
    }
    Ok(Decision::change((), CachePolicyEffect { prefix: prefix.into(), policy: Some(policy) }))
}

/// CACHE.POLICY DEL: whether there was one.
pub fn decide_delete_policy(policies: &CachePolicies, prefix: &[u8]) -> Decision<bool, CachePolicyEffect> {
    match policies.get(prefix) {
        Some(_) => Decision::change(true, CachePolicyEffect { prefix: prefix.into(), policy: None }),
        None => Decision::answer(false),
    }
}

impl value::Effect for CachePolicyEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.prefix);
        w.option(self.policy, |w, policy| policy.write(w));
        w.finish()
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let prefix = r.bytes()?;
        let policy = r.option(CachePolicy::read)?;
        r.end()?;
        if payload.is_some() || prefix.len() > MAX_PREFIX_LEN {
            return Err(Corrupt);
        }
        Ok(CachePolicyEffect { prefix: prefix.into(), policy })
    }
}

impl Table for CachePolicies {
    type Effect = CachePolicyEffect;

    const ENCODING: u32 = 1;

    fn adds(&self, effect: &CachePolicyEffect) -> bool {
        effect.policy.is_some() && self.get(&effect.prefix).is_none()
    }

    fn apply(&mut self, effect: CachePolicyEffect) {
        match effect.policy {
            Some(policy) => self.0.insert(effect.prefix, policy),
            None => self.0.remove(&effect.prefix),
        };
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn save(&self) -> Vec<u8> {
        save_named(&self.0, CachePolicy::write)
    }

    fn load(_encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt> {
        load_named(bytes, |prefix| prefix.len() <= MAX_PREFIX_LEN, |_, r| CachePolicy::read(r))
            .map(CachePolicies)
    }
}
