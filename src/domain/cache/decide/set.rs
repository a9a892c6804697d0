//! CACHE.SET and CACHE.ABSENT: store what was loaded, unless the right to do so was lost.

use crate::domain::cache::Effect;
use crate::domain::cache::policy::{CachePolicy, DEFAULT_COMPRESS_BYTES};
use crate::domain::cache::state::compression;
use crate::domain::cache::state::entry::CacheEntry;
use crate::domain::cache::state::tags::Tags;
use crate::domain::cache::state::value_meta::{Annotations, MAX_LOAD_MS, NEVER, ValueForm, ValueMeta};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{MINUTE, UnixMs};
use crate::domain::token::TokenClock;
use crate::domain::value::Value;

/// What SET stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRequest<'a> {
    /// `None` stores the absence of a value.
    pub value: Option<&'a [u8]>,
    /// The token of the FILL or REFRESH that the value was loaded for; without one it is stored
    /// anyway.
    pub token: Option<u64>,
    /// How long the value is fresh, ms; nothing: as the policy says, or for ever.
    pub ttl: Option<u64>,
    /// How long it may be served stale after that, ms; nothing: as the policy says, or not at all.
    pub grace: Option<u64>,
    /// What readers get with the value, such as its ETag and content type.
    pub client_meta: Option<&'a [u8]>,
}

/// The terms under which it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EffectivePolicy {
    pub policy: CachePolicy,
    /// The longest value on this server, bytes.
    pub limit: usize,
    /// Any number of 64 bits.
    pub random: u64,
}

impl EffectivePolicy {
    fn ttl(&self, set: &SetRequest<'_>) -> Option<u64> {
        let ttl = match set.value {
            Some(_) => set.ttl.or(self.policy.ttl),
            None => set.ttl.or(self.policy.absent_ttl).or(Some(DEFAULT_ABSENT_TTL)),
        };
        ttl.map(|ttl| self.policy.apply_jitter(ttl, self.random))
    }

    /// Of a value; absence is never served stale.
    fn grace(&self, set: &SetRequest<'_>) -> u64 {
        set.value.and(set.grace.or(self.policy.grace)).unwrap_or(0)
    }

    fn limit(&self) -> usize {
        self.policy.max_value.map_or(self.limit, |most| self.limit.min(most as usize))
    }

    /// The bytes that are kept, and their form.
    fn form(&self, value: Option<&[u8]>) -> (ValueForm, Box<[u8]>) {
        let Some(value) = value else { return (ValueForm::Absent, Box::default()) };
        match compression::compress(value, self.policy.compress.unwrap_or(DEFAULT_COMPRESS_BYTES)) {
            Some(packed) => (ValueForm::Lz4, packed),
            None => (ValueForm::Plain, Box::from(value)),
        }
    }
}

/// What the token of a SET allows.
enum TokenStatus {
    MayStore,
    /// A re-send: this value was stored with this token, which was superseded since.
    AlreadyStored,
    Superseded,
}

/// TTL of a cached absence unless given, ms.
pub const DEFAULT_ABSENT_TTL: u64 = MINUTE;

/// Answers whether the value was stored (1 or 0): not when the token was superseded, or the key is
/// gone. At a key that holds a plain string, pass no state with a token.
///
/// A re-send gets the same answer. Until another lease is granted it stores the value again, and
/// the TTL restarts. After that it changes nothing, and the answer is 1 if its value is the stored
/// one.
///
/// `TOOBIG` when the value is longer than the terms allow.
pub fn decide_set(
    state: Option<&CacheEntry>,
    set: &SetRequest<'_>,
    terms: &EffectivePolicy,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<bool, Effect>, Refusal> {
    check_size("value", set.value, terms.limit())?;
    check_size("META", set.client_meta, terms.limit())?;
    let entry = state.filter(|entry| entry.is_live(now));
    let grant = match set.token {
        // Its own token, so that every value has its position in the order of tokens.
        None => tokens.next(now).max(state.map_or(0, Value::highest_token) + 1),
        Some(token) => match token_status(entry, token, set) {
            TokenStatus::MayStore => token,
            TokenStatus::AlreadyStored => return Ok(Decision::answer(true)),
            TokenStatus::Superseded => return Ok(Decision::answer(false)),
        },
    };
    let (form, bytes) = terms.form(set.value);
    let meta = ValueMeta {
        token: grant,
        form,
        fresh_until: terms.ttl(set).map_or(NEVER, |ttl| now.saturating_add(ttl)),
        grace: terms.grace(set),
        load: entry.map_or(0, |entry| load_time(entry, grant, now)),
    };
    Ok(Decision::change(
        true,
        match set.client_meta {
            Some(client_meta) => {
                let annotations =
                    Annotations { tags: Tags::default(), client_meta: Some(Box::from(client_meta)) };
                Effect::SetAnnotated { meta, annotations, bytes }
            }
            None => Effect::Set { meta, bytes },
        },
    ))
}

fn check_size(what: &str, bytes: Option<&[u8]>, limit: usize) -> Result<(), Refusal> {
    match bytes.map(<[u8]>::len) {
        Some(length) if length > limit => {
            Err(Refusal::new(Code::TooBig, format!("{what} of {length} bytes: at most {limit} are stored")))
        }
        _ => Ok(()),
    }
}

fn token_status(entry: Option<&CacheEntry>, token: u64, set: &SetRequest<'_>) -> TokenStatus {
    let Some(entry) = entry else { return TokenStatus::Superseded };
    let filled = entry.meta().is_some_and(|meta| meta.token == token);
    match entry.lease() {
        Some(lease) if lease.token == token && !lease.released => TokenStatus::MayStore,
        None if filled => TokenStatus::MayStore,
        Some(_)
            if filled && entry.value().as_deref() == set.value && entry.client_meta() == set.client_meta =>
        {
            TokenStatus::AlreadyStored
        }
        _ => TokenStatus::Superseded,
    }
}

/// From the grant of the lease to now, ms; of a re-sent SET, what its first sending took.
fn load_time(entry: &CacheEntry, grant: u64, now: UnixMs) -> u64 {
    match (entry.lease(), entry.meta()) {
        (Some(lease), _) if lease.token == grant => now.saturating_sub(lease.since).min(MAX_LOAD_MS),
        (_, Some(meta)) if meta.token == grant => meta.load,
        _ => 0,
    }
}

/// Decides a CACHE.EXPIRE. Answers whether the key held a value, a cached absence or a lease.
///
/// A re-send gets the same answer while the value may still be served stale.
pub fn decide_expire(state: Option<&CacheEntry>, now: UnixMs, tokens: &TokenClock) -> Decision<bool, Effect> {
    match state.filter(|entry| entry.is_live(now)) {
        Some(entry) => {
            let token = tokens.next(now).max(entry.highest_token() + 1);
            Decision::change(true, Effect::Expire { token, at: now })
        }
        None => Decision::answer(false),
    }
}
