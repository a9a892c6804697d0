//! Named policies: limits that the server stores, so that calls can name them as `@name`.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::global_state::{Named, Table, load_named, save_named};
use crate::domain::ratelimit::MAX_LIMITS;
use crate::domain::ratelimit::limit::name::{LimitName, is_policy};
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::value;
use std::rc::Rc;

/// The maximum number of policies on one server.
pub const MAX_POLICIES: usize = 1_000;

/// Refused as a name: the row of a lock is named `@lock`.
const RESERVED_NAME: &[u8] = b"lock";

/// 1 to 16 limits in the given order.
///
/// Each limit has a name for its counter in a subject: its own, or `@ai`, `@ai#2`, `@ai#3` … for
/// unnamed limits of the policy `ai`. So a counter continues when its limit is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitPolicy(Box<[(LimitName, Rule)]>);

impl LimitPolicy {
    fn new(name: &[u8], limits: &[&[u8]]) -> Result<Self, Refusal> {
        if limits.len() > MAX_LIMITS {
            return Err(Refusal::err(format!("too many limits: at most {MAX_LIMITS} in a policy")));
        }
        let mut read: Vec<Limit<'_>> = Vec::with_capacity(limits.len());
        for text in limits {
            if text.first() == Some(&b'@') {
                let given = shown(text);
                return Err(Refusal::err(format!("'{given}': a policy holds limits, not other policies")));
            }
            let limit = Limit::parse(text)?;
            if read.iter().any(|earlier| earlier.shares_counter(&limit)) {
                return Err(Refusal::err(format!("limit '{}' is given twice", limit.display_name())));
            }
            read.push(limit);
        }
        let mut unnamed = 0;
        let named = read.into_iter().map(|limit| {
            let name = limit.name.and_then(LimitName::new).unwrap_or_else(|| {
                unnamed += 1;
                LimitName::of_policy(name, unnamed)
            });
            (name, limit.rule)
        });
        Ok(LimitPolicy(named.collect()))
    }

    /// The limits as a call takes them.
    pub fn limits(&self) -> impl Iterator<Item = Limit<'_>> {
        self.0.iter().map(|(name, rule)| Limit { name: Some(name.as_bytes()), rule: *rule })
    }

    /// The limits as POLICY SET takes them: `[name=]spec`, canonical.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = Vec<u8>> {
        self.0.iter().map(|(name, rule)| {
            let given = (!name.is_of_policy()).then(|| [name.as_bytes(), b"="].concat());
            [given.unwrap_or_default(), rule.spec().into_bytes()].concat()
        })
    }

    fn write(&self, w: &mut Writer) {
        w.int(self.0.len() as u64);
        self.texts().for_each(|text| w.bytes(&text));
    }

    fn read(name: &[u8], r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let count = r.int()?;
        if !(1..=MAX_LIMITS as u64).contains(&count) {
            return Err(Corrupt);
        }
        let texts = (0..count).map(|_| r.bytes()).collect::<Result<Vec<_>, _>>()?;
        LimitPolicy::new(name, &texts).map_err(|_| Corrupt)
    }
}

/// The policies of a server, by their names.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LimitPolicies(Named<Rc<LimitPolicy>>);

impl LimitPolicies {
    pub fn get(&self, name: &[u8]) -> Option<&Rc<LimitPolicy>> {
        self.0.get(name)
    }

    /// Iterates in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &LimitPolicy)> {
        self.0.iter().map(|(name, policy)| (&name[..], &**policy))
    }

    /// Returns the policy that an argument `@name` of CHECK or PEEK names.
    ///
    /// Returns `NOPOLICY` if there is none.
    pub fn named(&self, argument: &[u8]) -> Result<&Rc<LimitPolicy>, Refusal> {
        let name = argument.strip_prefix(b"@").unwrap_or(argument);
        refuse_wrong(name)?;
        self.get(name).ok_or_else(|| {
            let name = shown(name);
            let text =
                format!("unknown policy '@{name}': define it with RATELIMIT.POLICY SET {name} limit ...");
            Refusal::new(Code::NoPolicy, text)
        })
    }
}

/// A change of [`LimitPolicies`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitPolicyEffect {
    Set { name: Box<[u8]>, policy: Rc<LimitPolicy> },
    Delete { name: Box<[u8]> },
}

fn refuse_wrong(name: &[u8]) -> Result<(), Refusal> {
    if is_policy(name) {
        return Ok(());
    }
    let given = shown(name);
    Err(Refusal::err(format!("policy name '{given}': must be 1 to 64 bytes of A-Z a-z 0-9 _ . : - /")))
}

/// Decides RATELIMIT.POLICY SET. The same policy again changes nothing.
pub fn decide_set_policy(
    policies: &LimitPolicies,
    name: &[u8],
    limits: &[&[u8]],
) -> Result<Decision<(), LimitPolicyEffect>, Refusal> {
    refuse_wrong(name)?;
    if name == RESERVED_NAME {
        return Err(Refusal::err(
            "policy name 'lock': a locked subject shows its lock as @lock, choose another",
        ));
    }
    let policy = LimitPolicy::new(name, limits)?;
    match policies.get(name) {
        Some(known) if **known == policy => return Ok(Decision::answer(())),
        None if policies.0.len() >= MAX_POLICIES => {
            let text =
                format!("too many policies: at most {MAX_POLICIES}, delete one with RATELIMIT.POLICY DEL");
            return Err(Refusal::err(text));
        }
        _ => {}
    }
    Ok(Decision::change((), LimitPolicyEffect::Set { name: name.into(), policy: Rc::new(policy) }))
}

/// Decides RATELIMIT.POLICY DEL. Replies whether the policy existed.
pub fn decide_delete_policy(
    policies: &LimitPolicies,
    name: &[u8],
) -> Result<Decision<bool, LimitPolicyEffect>, Refusal> {
    refuse_wrong(name)?;
    Ok(match policies.get(name) {
        Some(_) => Decision::change(true, LimitPolicyEffect::Delete { name: name.into() }),
        None => Decision::answer(false),
    })
}

/// The first byte of the encoded form.
const SET: u8 = 1;
const DELETE: u8 = 2;

impl value::Effect for LimitPolicyEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            LimitPolicyEffect::Set { name, policy } => {
                w.byte(SET);
                w.bytes(name);
                policy.write(&mut w);
            }
            LimitPolicyEffect::Delete { name } => {
                w.byte(DELETE);
                w.bytes(name);
            }
        }
        w.finish()
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let kind = r.byte()?;
        let name = r.bytes()?;
        if payload.is_some() || !is_policy(name) {
            return Err(Corrupt);
        }
        let effect = match kind {
            SET => {
                let policy = Rc::new(LimitPolicy::read(name, r)?);
                LimitPolicyEffect::Set { name: name.into(), policy }
            }
            DELETE => LimitPolicyEffect::Delete { name: name.into() },
            _ => return Err(Corrupt),
        };
        r.end()?;
        Ok(effect)
    }
}

impl Table for LimitPolicies {
    type Effect = LimitPolicyEffect;

    const ENCODING: u32 = 1;

    /// A new policy. One that replaces another is of much the same size.
    fn adds(&self, effect: &LimitPolicyEffect) -> bool {
        matches!(effect, LimitPolicyEffect::Set { name, .. } if self.get(name).is_none())
    }

    fn apply(&mut self, effect: LimitPolicyEffect) {
        match effect {
            LimitPolicyEffect::Set { name, policy } => {
                self.0.insert(name, policy);
            }
            LimitPolicyEffect::Delete { name } => {
                self.0.remove(&name);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn save(&self) -> Vec<u8> {
        save_named(&self.0, |policy, w| policy.write(w))
    }

    fn load(_encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt> {
        load_named(bytes, is_policy, |name, r| LimitPolicy::read(name, r).map(Rc::new)).map(LimitPolicies)
    }
}

#[cfg(test)]
#[path = "tests/policies.rs"]
mod tests;
