//! CACHE.SET: stores what was loaded, unless the right to do so was lost.

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;

use super::Effect;
use super::entry::Entry;

/// What SET stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set<'a> {
    pub value: &'a [u8],
    /// The token of the FILL or REFRESH that the value was loaded for; without one it is stored anyway.
    pub token: Option<u64>,
    /// How long the value is fresh, ms; nothing: for ever.
    pub ttl: Option<u64>,
    /// How long it may be served stale after that, ms.
    pub grace: u64,
}

/// What the token of a SET is worth.
enum Right {
    Store,
    /// The very value has been stored under this token, which has been superseded since: a re-send.
    Stored,
    Lost,
}

/// Answers whether the value was stored (1 or 0): not when the token was superseded, or the key is gone.
/// At a key that holds a plain string, pass no state with a token.
///
/// Sent again it answers alike. While no other lease was granted it stores again, and the TTL counts
/// anew; after that nothing changes, and the answer is still 1 if the value is the one that is there.
///
/// `TOOBIG` when the value is longer than `limit` bytes.
pub fn decide_set(
    state: Option<&Entry>,
    set: &Set<'_>,
    limit: usize,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<bool, Effect>, Refusal> {
    if set.value.len() > limit {
        let text = format!("value of {} bytes: at most {limit} are stored", set.value.len());
        return Err(Refusal::new(Code::TooBig, text));
    }
    let grant = match set.token {
        // An own token, so that every value has its place in the order of grants.
        None => tokens.next(now).max(state.map_or(0, Value::highest_token) + 1),
        Some(token) => match right(state.filter(|entry| entry.stands(now)), token, set.value) {
            Right::Store => token,
            Right::Stored => return Ok(Decision::answer(true)),
            Right::Lost => return Ok(Decision::answer(false)),
        },
    };
    let fresh_until = set.ttl.map(|ttl| now.saturating_add(ttl));
    let effect = Effect::Set { grant, fresh_until, grace: set.grace, value: Box::from(set.value) };
    Ok(Decision::change(true, effect))
}

fn right(entry: Option<&Entry>, token: u64, value: &[u8]) -> Right {
    let Some(entry) = entry else { return Right::Lost };
    let filled = entry.value.is_some() && entry.grant == token;
    match &entry.lease {
        Some(lease) if lease.token == token => Right::Store,
        None if filled => Right::Store,
        Some(_) if filled && entry.value.as_deref() == Some(value) => Right::Stored,
        _ => Right::Lost,
    }
}
