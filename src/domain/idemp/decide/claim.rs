//! IDEMP.CLAIM: do the work, wait for its holder, or take the result.

use crate::domain::decision::Decision;
use crate::domain::idemp::state::record::{Record, Stage};
use crate::domain::idemp::{Effect, Fingerprint};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use std::borrow::Cow;

/// LEASE unless given, in milliseconds.
pub const DEFAULT_LEASE: u64 = time::MINUTE;

/// TTL unless given, in milliseconds.
pub const DEFAULT_TTL: u64 = time::DAY;

/// What a claim asks for. A waiter keeps it (see [`ClaimRequest::into_owned`]) and asks again when
/// woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest<'a> {
    /// How long the claimer may work before another takes over, ms.
    pub lease: u64,
    /// How long the record lives after its last change, ms; from the completion on unless COMPLETE
    /// gives another one.
    pub ttl: u64,
    /// The client that claims. The same owner claiming again while it holds gets its token back.
    pub owner: Option<Cow<'a, [u8]>>,
    /// What the claim is about; without it nothing is compared.
    pub fingerprint: Option<Fingerprint>,
}

impl ClaimRequest<'_> {
    pub fn into_owned(self) -> ClaimRequest<'static> {
        ClaimRequest {
            lease: self.lease,
            ttl: self.ttl,
            owner: self.owner.map(|owner| Cow::Owned(owner.into_owned())),
            fingerprint: self.fingerprint,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// You do the work.
    Claimed,
    /// Another does it, or its release's delay runs: with BLOCK, keep waiting.
    Busy,
    /// It has been done.
    Done,
}

/// The reply's six elements in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimReply<'a> {
    pub state: State,
    /// The result when done; the last checkpoint when claimed.
    pub value: Option<Cow<'a, [u8]>>,
    /// Above 0 when claimed.
    pub token: u64,
    /// Claimed: what is left of the lease. Busy: when to try again. Done: the result's age.
    pub ms: u64,
    /// How many times the work has been claimed, this time included.
    pub attempt: u32,
    pub meta: Option<Cow<'a, [u8]>>,
}

impl ClaimReply<'_> {
    /// Frees the reply from the record, so that the record can change before the reply is sent.
    pub fn into_owned(self) -> ClaimReply<'static> {
        ClaimReply {
            value: self.value.map(|value| Cow::Owned(value.into_owned())),
            meta: self.meta.map(|meta| Cow::Owned(meta.into_owned())),
            ..self
        }
    }

    fn without_value(state: State, token: u64, ms: u64, attempt: u32) -> Self {
        ClaimReply { state, value: None, token, ms, attempt, meta: None }
    }
}

/// Decides a claim as if it had no BLOCK: [`State::Busy`] means that a waiter keeps waiting.
///
/// `MISMATCH` when the record was claimed with another fingerprint, whatever its state; `ERR` when
/// the lease is longer than the TTL.
pub fn decide_claim<'a>(
    state: Option<&'a Record>,
    claim: &ClaimRequest<'_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<ClaimReply<'a>, Effect>, Refusal> {
    lease_within_ttl(claim.lease, claim.ttl)?;
    let Some(record) = state.filter(|record| record.is_live(now)) else {
        return Ok(grant_lease(state, claim, now, tokens));
    };
    let known = record.fingerprint();
    if let (Some(known), Some(given)) = (known, claim.fingerprint)
        && known != given
    {
        return Err(Refusal::new(Code::Mismatch, "this key was claimed with other content"));
    }
    let elapsed = record.elapsed(now);
    let open = match &record.stage {
        Stage::Done(finished) => {
            let (meta, result) = finished.parts();
            return Ok(Decision::answer(ClaimReply {
                value: Some(Cow::Borrowed(result)),
                meta: meta.map(Cow::Borrowed),
                ..ClaimReply::without_value(State::Done, 0, elapsed, record.attempt)
            }));
        }
        Stage::Open(open) => open,
    };
    if elapsed >= open.span {
        let mut taken = grant_lease(state, claim, now, tokens);
        taken.reply.value = open.checkpoint.as_deref().map(Cow::Borrowed);
        return Ok(taken);
    }
    let left = open.span - elapsed;
    let mine = open.held && open.owner.is_some() && open.owner.as_deref() == claim.owner.as_deref();
    Ok(Decision::answer(if mine {
        ClaimReply {
            value: open.checkpoint.as_deref().map(Cow::Borrowed),
            ..ClaimReply::without_value(State::Claimed, record.token, left, record.attempt)
        }
    } else {
        ClaimReply::without_value(State::Busy, 0, left, record.attempt)
    }))
}

pub(crate) fn lease_within_ttl(lease: u64, ttl: u64) -> Result<(), Refusal> {
    if lease <= ttl {
        return Ok(());
    }
    let (lease, ttl) = (time::written(lease), time::written(ttl));
    Err(Refusal::err(format!("LEASE {lease}: must not be longer than TTL {ttl}")))
}

fn grant_lease<'a>(
    state: Option<&Record>,
    claim: &ClaimRequest<'_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<ClaimReply<'a>, Effect> {
    // Above the token of a record that is taken over, which the clock may not have seen.
    let token = tokens.next(now).max(state.map_or(0, |record| record.token) + 1);
    let (attempt, fingerprint) = next_attempt(state, claim, now);
    let reply = ClaimReply::without_value(State::Claimed, token, claim.lease, attempt);
    Decision::change(reply, build_claim_effect(claim, attempt, fingerprint, now, token))
}

/// Returns the effect of a claim that was granted `token` at `now`, even if another client holds
/// the record.
pub fn claim_effect(state: Option<&Record>, claim: &ClaimRequest<'_>, now: UnixMs, token: u64) -> Effect {
    let (attempt, fingerprint) = next_attempt(state, claim, now);
    build_claim_effect(claim, attempt, fingerprint, now, token)
}

/// Returns attempt and fingerprint: 1 for a new record, the next attempt for a live one.
fn next_attempt(state: Option<&Record>, claim: &ClaimRequest<'_>, now: UnixMs) -> (u32, Option<Fingerprint>) {
    match state.filter(|record| record.is_live(now)) {
        Some(record) => (record.attempt.saturating_add(1), claim.fingerprint.or(record.fingerprint())),
        None => (1, claim.fingerprint),
    }
}

fn build_claim_effect(
    claim: &ClaimRequest<'_>,
    attempt: u32,
    fingerprint: Option<Fingerprint>,
    now: UnixMs,
    token: u64,
) -> Effect {
    Effect::Claim {
        token,
        since: now,
        lease: claim.lease,
        ttl: claim.ttl,
        attempt,
        owner: claim.owner.as_deref().map(Box::from),
        fingerprint,
    }
}
