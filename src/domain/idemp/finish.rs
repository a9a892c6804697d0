//! COMPLETE and RELEASE: the end of a claim.

use super::effect::Effect;
use super::record::{Phase, Record};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;

/// A COMPLETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complete<'a> {
    pub token: u64,
    pub result: &'a [u8],
    pub meta: Option<&'a [u8]>,
    /// How long the result is kept, in milliseconds; as the claim said, if missing.
    pub ttl: Option<u64>,
}

fn fenced(why: &str) -> Refusal {
    Refusal::new(Code::Fenced, why)
}

/// Decides a COMPLETE. A claim whose lease ran out may still be completed as long as nobody has
/// taken over; the same COMPLETE again succeeds again.
pub fn decide_complete(
    state: Option<&Record>,
    complete: &Complete<'_>,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let record = Record::alive(state, now).ok_or_else(|| fenced("the record is gone"))?;
    if record.token != complete.token {
        return Err(fenced("the claim was taken over"));
    }
    match &record.phase {
        Phase::Leased { .. } => {
            let effect = Effect::Complete {
                token: complete.token,
                at: now,
                result: complete.result.into(),
                meta: complete.meta.map(Box::from),
                expires: now + complete.ttl.unwrap_or(record.ttl),
            };
            Ok(Decision::change((), effect))
        }
        Phase::Done { result, meta, .. } => {
            if **result == *complete.result && meta.as_deref() == complete.meta {
                Ok(Decision::answer(()))
            } else {
                Err(Refusal::new(Code::Mismatch, "this claim was completed with another result"))
            }
        }
        Phase::Released { .. } | Phase::Empty => Err(fenced("the claim was released")),
    }
}

/// Decides a RELEASE: the next claim may run it, at once or after `delay` milliseconds. The same
/// RELEASE again succeeds again and does not begin the delay anew.
pub fn decide_release(
    state: Option<&Record>,
    token: u64,
    delay: u64,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let record = Record::alive(state, now).ok_or_else(|| fenced("the record is gone"))?;
    if record.token != token {
        return Err(fenced("the claim was taken over"));
    }
    match record.phase {
        Phase::Leased { .. } => {
            let until = now + delay;
            // The record outlives its delay, or the delay would be cut short.
            let expires = now + record.ttl.max(delay);
            Ok(Decision::change((), Effect::Release { token, until, expires }))
        }
        Phase::Released { .. } => Ok(Decision::answer(())),
        Phase::Done { .. } | Phase::Empty => Err(fenced("the claim was completed")),
    }
}
