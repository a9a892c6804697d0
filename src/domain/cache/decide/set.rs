//! CACHE.SET and CACHE.ABSENT: store what was loaded, unless the right to do so was lost.

use crate::domain::cache::Effect;
use crate::domain::cache::policy::{DEFAULT_COMPRESS, Policy};
use crate::domain::cache::state::compression;
use crate::domain::cache::state::entry::Entry;
use crate::domain::cache::state::value_meta::{Form, Kept, LONGEST_LOAD, NEVER};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{MINUTE, UnixMs};
use crate::domain::token::TokenClock;
use crate::domain::value::Value;

/// What SET stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set<'a> {
    /// Nothing: it is stored that there is none.
    pub value: Option<&'a [u8]>,
    /// The token of the FILL or REFRESH that the value was loaded for; without one it is stored anyway.
    pub token: Option<u64>,
    /// How long the value is fresh, ms; nothing: as the policy says, or for ever.
    pub ttl: Option<u64>,
    /// How long it may be served stale after that, ms; nothing: as the policy says, or not at all.
    pub grace: Option<u64>,
}

/// The terms under which it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    pub policy: Policy,
    /// The longest value on this server, bytes.
    pub limit: usize,
    /// Any number of 64 bits.
    pub chance: u64,
}

impl Terms {
    fn ttl(&self, set: &Set<'_>) -> Option<u64> {
        let ttl = match set.value {
            Some(_) => set.ttl.or(self.policy.ttl),
            None => set.ttl.or(self.policy.absent_ttl).or(Some(DEFAULT_ABSENT)),
        };
        ttl.map(|ttl| self.policy.jittered(ttl, self.chance))
    }

    /// Of a value; absence is never served stale.
    fn grace(&self, set: &Set<'_>) -> u64 {
        set.value.and(set.grace.or(self.policy.grace)).unwrap_or(0)
    }

    fn limit(&self) -> usize {
        self.policy.max_value.map_or(self.limit, |most| self.limit.min(most as usize))
    }

    /// The bytes that are kept, and their form.
    fn form(&self, value: Option<&[u8]>) -> (Form, Box<[u8]>) {
        let Some(value) = value else { return (Form::Absent, Box::default()) };
        match compression::packed(value, self.policy.compress.unwrap_or(DEFAULT_COMPRESS)) {
            Some(packed) => (Form::Lz4, packed),
            None => (Form::Plain, Box::from(value)),
        }
    }
}

/// What the token of a SET is worth.
enum Right {
    Store,
    /// The very value has been stored under this token, which has been superseded since: a re-send.
    Stored,
    Lost,
}

/// Where absence is stored, for this long unless given, ms.
pub const DEFAULT_ABSENT: u64 = MINUTE;

/// Answers whether the value was stored (1 or 0): not when the token was superseded, or the key is gone.
/// At a key that holds a plain string, pass no state with a token.
///
/// Sent again it answers alike. While no other lease was granted it stores again, and the TTL counts
/// anew; after that nothing changes, and the answer is still 1 if the value is the one that is there.
///
/// `TOOBIG` when the value is longer than the terms allow.
pub fn decide_set(
    state: Option<&Entry>,
    set: &Set<'_>,
    terms: &Terms,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<bool, Effect>, Refusal> {
    let (length, limit) = (set.value.map_or(0, <[u8]>::len), terms.limit());
    if length > limit {
        let text = format!("value of {length} bytes: at most {limit} are stored");
        return Err(Refusal::new(Code::TooBig, text));
    }
    let entry = state.filter(|entry| entry.stands(now));
    let grant = match set.token {
        // An own token, so that every value has its place in the order of grants.
        None => tokens.next(now).max(state.map_or(0, Value::highest_token) + 1),
        Some(token) => match right(entry, token, set.value) {
            Right::Store => token,
            Right::Stored => return Ok(Decision::answer(true)),
            Right::Lost => return Ok(Decision::answer(false)),
        },
    };
    let (form, bytes) = terms.form(set.value);
    let kept = Kept {
        grant,
        form,
        fresh_until: terms.ttl(set).map_or(NEVER, |ttl| now.saturating_add(ttl)),
        grace: terms.grace(set),
        load: entry.map_or(0, |entry| load_time(entry, grant, now)),
    };
    Ok(Decision::change(true, Effect::Set { kept, bytes }))
}

fn right(entry: Option<&Entry>, token: u64, value: Option<&[u8]>) -> Right {
    let Some(entry) = entry else { return Right::Lost };
    let filled = entry.kept().is_some_and(|kept| kept.grant == token);
    match entry.lease() {
        Some(lease) if lease.token == token && !lease.released => Right::Store,
        None if filled => Right::Store,
        Some(_) if filled && entry.value().as_deref() == value => Right::Stored,
        _ => Right::Lost,
    }
}

/// From the grant of the lease to now, ms; of a re-sent SET, what its first sending took.
fn load_time(entry: &Entry, grant: u64, now: UnixMs) -> u64 {
    match (entry.lease(), entry.kept()) {
        (Some(lease), _) if lease.token == grant => now.saturating_sub(lease.since).min(LONGEST_LOAD),
        (_, Some(kept)) if kept.grant == grant => kept.load,
        _ => 0,
    }
}
