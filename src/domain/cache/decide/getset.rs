//! CACHE.GETSET: the value, or the right to load it.

use crate::domain::cache::Effect;
use crate::domain::cache::decide::set::{EffectivePolicy, SetRequest, decide_set};
use crate::domain::cache::policy::EarlyRefreshDraw;
use crate::domain::cache::state::entry::{CacheEntry, Freshness};
use crate::domain::cache::state::value_meta::{NEVER, ValueForm};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;
use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Fresh.
    Hit,
    /// Fresh, and this reader was elected to reload it early. The reply says REFRESH.
    EarlyRefresh,
    /// Stale, and this reader reloads it.
    Refresh,
    /// Stale, and another reader reloads it.
    Stale,
    /// A miss, and this reader loads it.
    Fill,
    /// A miss, and another reader loads it. With BLOCK the client keeps waiting.
    Busy,
    /// The absence of a value is cached.
    Absent,
    /// There was no fresh value, and the value of the call is stored now.
    Stored,
}

/// The reply's four elements in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSetReply<'a> {
    pub state: State,
    pub value: Option<Cow<'a, [u8]>>,
    /// Above 0 for FILL and REFRESH.
    pub token: u64,
    /// HIT, ABSENT and STORED: how long it stays fresh, -1 for ever. STALE: the rest of its GRACE.
    /// FILL and REFRESH: the lease. BUSY: when to try again.
    pub ms: i64,
    /// The META of the value, for readers that ask for it.
    pub client_meta: Option<Cow<'a, [u8]>>,
}

impl<'a> GetSetReply<'a> {
    /// A fresh value; `left` is how long it stays fresh, ms, nothing for ever. Also what a plain
    /// string with that much of its TTL left is answered as.
    pub fn hit(value: &'a [u8], left: Option<u64>) -> Self {
        GetSetReply {
            state: State::Hit,
            value: Some(Cow::Borrowed(value)),
            token: 0,
            ms: left.map_or(-1, signed),
            client_meta: None,
        }
    }

    /// The same reply, with the META of the value that it serves.
    fn with_meta_of(self, entry: Option<&'a CacheEntry>) -> Self {
        let client_meta = entry.filter(|_| self.value.is_some()).and_then(CacheEntry::client_meta);
        GetSetReply { client_meta: client_meta.map(Cow::Borrowed), ..self }
    }

    /// Frees the reply from the entry, so that the entry can change before the reply is sent.
    pub fn into_owned(self) -> GetSetReply<'static> {
        let owned = |bytes: Option<Cow<'a, [u8]>>| bytes.map(|bytes| Cow::Owned(bytes.into_owned()));
        GetSetReply { value: owned(self.value), client_meta: owned(self.client_meta), ..self }
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// What a GETSET asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetSetRequest {
    /// How long a loader may take before another is sent, ms.
    pub lease: u64,
    /// A value that is fresh stays so for this long, ms.
    pub touch: Option<u64>,
    /// Whether a fresh value may be reloaded early; never by a call with TOUCH.
    pub early: Option<EarlyRefreshDraw>,
}

/// Decides a GETSET as if it had no BLOCK: [`State::Busy`] means that a waiter keeps waiting.
///
/// A re-sent GETSET is one more reader: while its first sending holds the lease it is BUSY or
/// STALE.
pub fn decide_getset<'a>(
    state: Option<&'a CacheEntry>,
    request: &GetSetRequest,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<GetSetReply<'a>, Effect>, Refusal> {
    let entry = state.filter(|entry| entry.is_live(now));
    let freshness = entry.map_or(Freshness::Nothing, |entry| entry.freshness(now));
    let held = entry.and_then(|entry| entry.lease()).map_or(0, |lease| lease.left(now));
    let value = || entry.and_then(CacheEntry::value);
    let reply =
        |state, value, token, ms| GetSetReply { state, value, token, ms: signed(ms), client_meta: None };
    // Above what the entry has seen, even if the clock has not heard of it.
    let token = || tokens.next(now).max(state.map_or(0, Value::highest_token) + 1);
    let lease = request.lease;
    let decision = match freshness {
        Freshness::Fresh(left) if held > 0 || !is_elected_early(entry, request, left) => {
            serve_fresh(value(), left, request.touch, now)
        }
        Freshness::Stale(left) if held > 0 => Decision::answer(reply(State::Stale, value(), 0, left)),
        Freshness::Fresh(_) | Freshness::Stale(_) => {
            let token = token();
            let state =
                if matches!(freshness, Freshness::Fresh(_)) { State::EarlyRefresh } else { State::Refresh };
            Decision::change(
                reply(state, value(), token, lease),
                Effect::Refresh { token, since: now, lease },
            )
        }
        Freshness::Nothing if held > 0 => Decision::answer(reply(State::Busy, None, 0, held)),
        Freshness::Nothing => {
            let token = token();
            Decision::change(
                reply(State::Fill, None, token, lease),
                Effect::Fill { token, since: now, lease },
            )
        }
    };
    Ok(decision.map(|reply| reply.with_meta_of(entry)))
}

/// Decides a GETSET with VALUE. A fresh value stays; otherwise the given value is stored, like a
/// SET without TOKEN. A re-send finds it.
pub fn decide_getset_value<'a>(
    state: Option<&'a CacheEntry>,
    set: &SetRequest<'a>,
    terms: &EffectivePolicy,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<GetSetReply<'a>, Effect>, Refusal> {
    if let Some(entry) = state
        && let Freshness::Fresh(left) = entry.freshness(now)
    {
        return Ok(serve_fresh(entry.value(), left, None, now).map(|reply| reply.with_meta_of(state)));
    }
    let stored = decide_set(state, &SetRequest { token: None, ..*set }, terms, now, tokens)?;
    let ms = match &stored.effect {
        Some(Effect::Set { meta, .. } | Effect::SetAnnotated { meta, .. }) if meta.fresh_until != NEVER => {
            signed(meta.fresh_until - now)
        }
        _ => -1,
    };
    let reply = GetSetReply {
        state: State::Stored,
        value: set.value.map(Cow::Borrowed),
        token: 0,
        ms,
        client_meta: set.client_meta.map(Cow::Borrowed),
    };
    Ok(Decision { reply, effect: stored.effect })
}

fn is_elected_early(entry: Option<&CacheEntry>, request: &GetSetRequest, left: Option<u64>) -> bool {
    let meta = entry.and_then(CacheEntry::meta);
    match (meta, left, request.early, request.touch) {
        (Some(meta), Some(left), Some(early), None) if meta.form != ValueForm::Absent => {
            early.elects(meta.load, left)
        }
        _ => false,
    }
}

/// Answers with a value, or its absence, that stays fresh for `left` ms.
fn serve_fresh<'a>(
    value: Option<Cow<'a, [u8]>>,
    left: Option<u64>,
    touch: Option<u64>,
    now: UnixMs,
) -> Decision<GetSetReply<'a>, Effect> {
    let ms = left.map_or(-1, signed);
    match (value, touch) {
        (None, _) => Decision::answer(GetSetReply {
            state: State::Absent,
            value: None,
            token: 0,
            ms,
            client_meta: None,
        }),
        (value, None) => {
            Decision::answer(GetSetReply { state: State::Hit, value, token: 0, ms, client_meta: None })
        }
        (value, Some(touch)) => Decision::change(
            GetSetReply { state: State::Hit, value, token: 0, ms: signed(touch), client_meta: None },
            Effect::Touch { fresh_until: now.saturating_add(touch) },
        ),
    }
}
