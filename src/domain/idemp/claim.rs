//! CLAIM: the right to do something once.

use super::effect::Effect;
use super::fingerprint::Fingerprint;
use super::record::{Phase, Record};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::{DAY, SECOND, UnixMs, written};
use crate::domain::token::TokenClock;

/// How long a claim is held, unless LEASE says otherwise.
pub const DEFAULT_LEASE: u64 = 60 * SECOND;
/// How long a record is kept, unless TTL says otherwise.
pub const DEFAULT_TTL: u64 = DAY;

/// A CLAIM. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub lease: u64,
    pub ttl: u64,
    /// Who claims: the same one gets its token again while it holds.
    pub owner: Option<Box<[u8]>>,
    /// What for: the same key with another one is a mismatch.
    pub fingerprint: Option<Fingerprint>,
}

impl Claim {
    /// A lease must not outlive its record.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.lease <= self.ttl {
            return Ok(());
        }
        let (lease, ttl) = (written(self.lease), written(self.ttl));
        Err(Refusal::err(format!(
            "LEASE {lease} is longer than TTL {ttl}: shorten the one or lengthen the other"
        )))
    }
}

/// What CLAIM answers. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The caller does the work.
    Claimed { token: u64, left: u64, attempt: u32 },
    /// Somebody else does, or the record rests after a release.
    Busy { retry: u64, attempt: u32 },
    /// It is done.
    Done { result: Box<[u8]>, age: u64, attempt: u32, meta: Option<Box<[u8]>> },
}

/// Decides a CLAIM.
///
/// `MISMATCH` comes before any state, so that a key is never answered for what it was not used for.
pub fn decide_claim(
    state: Option<&Record>,
    claim: &Claim,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<Answer, Effect>, Refusal> {
    let Some(record) = Record::alive(state, now) else {
        return Ok(grant(state, claim, 1, now, tokens));
    };
    if let (Some(was), Some(is)) = (record.fingerprint, claim.fingerprint)
        && was != is
    {
        return Err(Refusal::new(Code::Mismatch, "this idempotency key was used with other content"));
    }
    let attempt = record.attempt;
    let answer = match &record.phase {
        Phase::Done { at, result, meta } => {
            Answer::Done { result: result.clone(), age: now.saturating_sub(*at), attempt, meta: meta.clone() }
        }
        Phase::Leased { until, owner } if now < *until => {
            if claim.owner.is_some() && claim.owner == *owner {
                Answer::Claimed { token: record.token, left: until - now, attempt }
            } else {
                Answer::Busy { retry: until - now, attempt }
            }
        }
        Phase::Released { until } if now < *until => Answer::Busy { retry: until - now, attempt },
        Phase::Leased { .. } | Phase::Released { .. } | Phase::Empty => {
            return Ok(grant(state, claim, attempt.saturating_add(1), now, tokens));
        }
    };
    Ok(Decision::answer(answer))
}

fn grant(
    state: Option<&Record>,
    claim: &Claim,
    attempt: u32,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<Answer, Effect> {
    // Never below what this record has seen, whatever the clock.
    let token = tokens.next(now).max(state.map_or(0, |record| record.token) + 1);
    // What an expired record was used for binds nobody any more.
    let fingerprint = claim.fingerprint.or(Record::alive(state, now).and_then(|record| record.fingerprint));
    let effect = Effect::Claim {
        token,
        until: now + claim.lease,
        owner: claim.owner.clone(),
        attempt,
        fingerprint,
        ttl: claim.ttl,
        expires: now + claim.ttl,
    };
    Decision::change(Answer::Claimed { token, left: claim.lease, attempt }, effect)
}
