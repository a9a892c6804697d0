//! IDEMP.COMPLETE, IDEMP.EXTEND and IDEMP.RELEASE: the commands of a token's holder.

use crate::domain::decision::Decision;
use crate::domain::idemp::Effect;
use crate::domain::idemp::decide::claim::lease_within_ttl;
use crate::domain::idemp::state::record::{Record, Stage};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;

/// What COMPLETE stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion<'a> {
    pub token: u64,
    pub result: &'a [u8],
    pub meta: Option<&'a [u8]>,
    /// How long the result is kept, ms; that of the claim if not given.
    pub ttl: Option<u64>,
}

/// What EXTEND asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    pub token: u64,
    /// The new lease from now on, ms; as long as the last one if not given.
    pub lease: Option<u64>,
    /// How far the work has come, for the next attempt. `None` keeps the last checkpoint.
    pub checkpoint: Option<&'a [u8]>,
}

/// The longest result and meta that are stored, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultLimits {
    pub result: usize,
    pub meta: usize,
}

/// Decides a COMPLETE. The holder may complete after its lease ran out, until another claim takes
/// over.
///
/// `FENCED` when the token is not the record's last one, the record is gone, or the claim was given
/// back; `MISMATCH` when it was completed with another result; `TOOBIG` over a limit. Completing
/// again with the same token and result succeeds and changes nothing: the first META and TTL are
/// kept.
pub fn decide_complete(
    state: Option<&Record>,
    completion: &Completion<'_>,
    limits: ResultLimits,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let Completion { token, result, meta, ttl } = *completion;
    check_size("result", result, limits.result)?;
    check_size("META", meta.unwrap_or_default(), limits.meta)?;
    let record = record_with_token(state, token, now)?;
    match &record.stage {
        Stage::Done(finished) if finished.result() == result => Ok(Decision::answer(())),
        Stage::Done(_) => {
            Err(Refusal::new(Code::Mismatch, "this claim was already completed with another result"))
        }
        Stage::Open(open) if open.held => Ok(Decision::change(
            (),
            Effect::Complete {
                token,
                at: now,
                ttl: ttl.unwrap_or(record.ttl),
                meta: meta.map(Box::from),
                result: Box::from(result),
            },
        )),
        Stage::Open(_) => Err(fenced("this claim was released")),
    }
}

/// Decides an EXTEND. Answers how long the new lease is, ms. A lease that ran out is renewed until
/// another claim takes over.
///
/// `FENCED` when the token is not the record's last one, the record is gone, or the claim was given
/// back or completed; `ERR` when the lease is longer than the claim's TTL; `TOOBIG` for a
/// checkpoint over `limit` bytes. Extending again renews again.
pub fn decide_extend(
    state: Option<&Record>,
    extension: &Extension<'_>,
    limit: usize,
    now: UnixMs,
) -> Result<Decision<u64, Effect>, Refusal> {
    let Extension { token, lease, checkpoint } = *extension;
    check_size("CHECKPOINT", checkpoint.unwrap_or_default(), limit)?;
    let record = record_with_token(state, token, now)?;
    let open = match &record.stage {
        Stage::Open(open) if open.held => open,
        Stage::Open(_) => return Err(fenced("this claim was released")),
        Stage::Done(_) => return Err(fenced("this claim was completed")),
    };
    let lease = lease.unwrap_or(open.span);
    lease_within_ttl(lease, record.ttl)?;
    let checkpoint = checkpoint.map(Box::from);
    Ok(Decision::change(lease, Effect::Extend { token, at: now, lease, checkpoint }))
}

/// Gives a claim back: the work failed, a later claim may run it, after `delay` ms at the earliest.
///
/// `FENCED` when the token is not the record's last one, the record is gone, or it is completed.
/// Releasing again succeeds and changes nothing: the first DELAY is kept.
pub fn decide_release(
    state: Option<&Record>,
    token: u64,
    delay: u64,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    match &record_with_token(state, token, now)?.stage {
        Stage::Open(open) if open.held => Ok(Decision::change((), Effect::Release { token, at: now, delay })),
        Stage::Open(_) => Ok(Decision::answer(())),
        Stage::Done(_) => Err(fenced("this claim was completed")),
    }
}

/// The record, if `token` is the last that it granted.
fn record_with_token(state: Option<&Record>, token: u64, now: UnixMs) -> Result<&Record, Refusal> {
    let record = state
        .filter(|record| record.is_live(now))
        .ok_or_else(|| fenced("the key is gone: it was deleted, or its TTL ran out"))?;
    if record.token != token {
        return Err(fenced("the token was superseded: another claim took over"));
    }
    Ok(record)
}

fn fenced(text: &str) -> Refusal {
    Refusal::new(Code::Fenced, text)
}

fn check_size(what: &str, bytes: &[u8], limit: usize) -> Result<(), Refusal> {
    if bytes.len() <= limit {
        return Ok(());
    }
    Err(Refusal::new(Code::TooBig, format!("{what} of {} bytes: at most {limit} are stored", bytes.len())))
}
