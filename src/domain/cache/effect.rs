//! How an entry changes: resolved tokens and times only.

use crate::domain::cache::state::value_meta::{Annotations, ValueMeta, check_bytes};
use crate::domain::codec::ranges::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

/// A change of an [`CacheEntry`](crate::domain::cache::CacheEntry). All spans are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A lease is granted where there is nothing to serve: what was there is dropped.
    Fill { token: u64, since: UnixMs, lease: u64 },
    /// A lease is granted beside a value that goes on being served.
    Refresh { token: u64, since: UnixMs, lease: u64 },
    /// A lease is given back: the next reader is sent to load after `delay`.
    Release { token: u64, at: UnixMs, delay: u64 },
    /// A value, or its absence, is stored and all leases end. The bytes are the payload.
    Set { meta: ValueMeta, bytes: Box<[u8]> },
    /// The same, with tags or META.
    SetAnnotated { meta: ValueMeta, annotations: Annotations, bytes: Box<[u8]> },
    /// Fills in flight are fenced: what was granted before `grant` stores nothing. What may be
    /// served stale is stale from `at`, the rest is dropped.
    Expire { token: u64, at: UnixMs },
    /// Value and leases are dropped, and what was granted before `token` stores nothing.
    Drop { token: u64 },
    /// A fresh value stays fresh until then.
    Touch { fresh_until: UnixMs },
}

/// First byte of the encoded form.
const FILL: u8 = 1;
const REFRESH: u8 = 2;
const SET: u8 = 3;
const RELEASE: u8 = 4;
const EXPIRE: u8 = 5;
const TOUCH: u8 = 6;
/// What was written before there was META.
const SET_TAGGED: u8 = 7;
const DROP: u8 = 8;
const SET_ANNOTATED: u8 = 9;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let mut head = |kind: u8, numbers: &[u64]| {
            w.kind(kind);
            numbers.iter().for_each(|number| w.int(*number));
        };
        match self {
            Effect::Fill { token, since, lease } => head(FILL, &[*token, *since, *lease]),
            Effect::Refresh { token, since, lease } => head(REFRESH, &[*token, *since, *lease]),
            Effect::Release { token, at, delay } => head(RELEASE, &[*token, *at, *delay]),
            Effect::Expire { token, at } => head(EXPIRE, &[*token, *at]),
            Effect::Drop { token } => head(DROP, &[*token]),
            Effect::Touch { fresh_until } => head(TOUCH, &[*fresh_until]),
            Effect::Set { meta, bytes: _ } => {
                w.kind(SET);
                meta.write(&mut w);
            }
            Effect::SetAnnotated { meta, annotations, bytes: _ } => {
                w.kind(SET_ANNOTATED);
                meta.write(&mut w);
                annotations.write(&mut w);
            }
        }
        w.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match self {
            Effect::Set { bytes, .. } | Effect::SetAnnotated { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let effect = match (r.kind()?, payload) {
            (kind @ (FILL | REFRESH | RELEASE), None) => {
                let token = read_token(r)?;
                let since = read_time(r)?;
                let lease = read_span(r)?;
                match kind {
                    FILL => Effect::Fill { token, since, lease },
                    REFRESH => Effect::Refresh { token, since, lease },
                    _ => Effect::Release { token, at: since, delay: lease },
                }
            }
            (EXPIRE, None) => Effect::Expire { token: read_token(r)?, at: read_time(r)? },
            (TOUCH, None) => Effect::Touch { fresh_until: read_time(r)? },
            (SET, Some(bytes)) => {
                let meta = ValueMeta::read(r)?;
                Effect::Set { meta, bytes: check_bytes(&meta, bytes)? }
            }
            (DROP, None) => Effect::Drop { token: read_token(r)? },
            (kind @ (SET_TAGGED | SET_ANNOTATED), Some(bytes)) => {
                let meta = ValueMeta::read(r)?;
                let read = if kind == SET_TAGGED { Annotations::read_tags } else { Annotations::read };
                let annotations = read(r)?;
                Effect::SetAnnotated { meta, annotations, bytes: check_bytes(&meta, bytes)? }
            }
            _ => return Err(Corrupt),
        };
        r.end()?;
        Ok(effect)
    }

    /// Leases are invisible: client-side caches keep the value that they have.
    fn is_visible(&self) -> bool {
        !matches!(self, Effect::Fill { .. } | Effect::Refresh { .. } | Effect::Release { .. })
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Fill { token, .. } | Effect::Refresh { token, .. } | Effect::Release { token, .. } => {
                *token
            }
            Effect::Set { meta, .. } | Effect::SetAnnotated { meta, .. } => meta.token,
            Effect::Expire { token, .. } | Effect::Drop { token } => *token,
            Effect::Touch { .. } => 0,
        }
    }
}
