//! How a record changes: resolved tokens, times and digests only.

use crate::domain::codec::ranges::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::idemp::Fingerprint;
use crate::domain::idemp::encoding::read_attempt;
use crate::domain::time::UnixMs;
use crate::domain::value;

/// A change of a [`Record`](crate::domain::idemp::Record). All spans are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A lease is granted. The effect replaces the record. Attempt 1 begins a new record; a later
    /// attempt keeps the checkpoint of the earlier ones.
    Claim {
        token: u64,
        since: UnixMs,
        lease: u64,
        ttl: u64,
        attempt: u32,
        owner: Option<Box<[u8]>>,
        fingerprint: Option<Fingerprint>,
    },
    /// The holder of `token` is done. The result is the payload.
    Complete { token: u64, at: UnixMs, ttl: u64, meta: Option<Box<[u8]>>, result: Box<[u8]> },
    /// The holder of `token` goes on: a new lease from `at` on. The checkpoint is the payload;
    /// without one the last stays.
    Extend { token: u64, at: UnixMs, lease: u64, checkpoint: Option<Box<[u8]>> },
    /// The holder of `token` gives up; the next claim may come after `delay`.
    Release { token: u64, at: UnixMs, delay: u64 },
}

/// First byte of the encoded form.
const CLAIM: u8 = 1;
const COMPLETE: u8 = 2;
const RELEASE: u8 = 3;
const EXTEND: u8 = 4;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Effect::Claim { token, since, lease, ttl, attempt, owner, fingerprint } => {
                w.kind(CLAIM);
                w.int(*token);
                w.int(*since);
                w.int(*lease);
                w.int(*ttl);
                w.int(u64::from(*attempt));
                w.option(owner.as_deref(), Writer::bytes);
                w.option(fingerprint.as_ref(), |w, fingerprint| w.raw(&fingerprint.0));
            }
            Effect::Complete { token, at, ttl, meta, result: _ } => {
                w.kind(COMPLETE);
                w.int(*token);
                w.int(*at);
                w.int(*ttl);
                w.option(meta.as_deref(), Writer::bytes);
            }
            Effect::Extend { token, at, lease, checkpoint: _ } => {
                w.kind(EXTEND);
                w.int(*token);
                w.int(*at);
                w.int(*lease);
            }
            Effect::Release { token, at, delay } => {
                w.kind(RELEASE);
                w.int(*token);
                w.int(*at);
                w.int(*delay);
            }
        }
        w.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match self {
            Effect::Complete { result, .. } => Some(result),
            Effect::Extend { checkpoint, .. } => checkpoint.as_deref(),
            Effect::Claim { .. } | Effect::Release { .. } => None,
        }
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let effect = match (r.kind()?, payload) {
            (CLAIM, None) => Effect::Claim {
                token: read_token(r)?,
                since: read_time(r)?,
                lease: read_span(r)?,
                ttl: read_span(r)?,
                attempt: read_attempt(r)?,
                owner: r.option(Reader::bytes)?.map(Box::from),
                fingerprint: r.option(Reader::array)?.map(Fingerprint),
            },
            (COMPLETE, Some(result)) => Effect::Complete {
                token: read_token(r)?,
                at: read_time(r)?,
                ttl: read_span(r)?,
                meta: r.option(Reader::bytes)?.map(Box::from),
                result: Box::from(result),
            },
            (EXTEND, checkpoint) => Effect::Extend {
                token: read_token(r)?,
                at: read_time(r)?,
                lease: read_span(r)?,
                checkpoint: checkpoint.map(Box::from),
            },
            (RELEASE, None) => {
                Effect::Release { token: read_token(r)?, at: read_time(r)?, delay: read_span(r)? }
            }
            _ => return Err(Corrupt),
        };
        r.end()?;
        Ok(effect)
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Claim { token, .. }
            | Effect::Complete { token, .. }
            | Effect::Extend { token, .. }
            | Effect::Release { token, .. } => *token,
        }
    }
}
