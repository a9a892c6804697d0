//! How an entry changes: resolved tokens and times only.

use crate::domain::bounds::{read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

/// A change of an [`Entry`](super::Entry). All spans are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A lease is granted where there is nothing to serve: what was there is dropped.
    Fill { token: u64, since: UnixMs, lease: u64 },
    /// A lease is granted beside a value that goes on being served.
    Refresh { token: u64, since: UnixMs, lease: u64 },
    /// A lease is given back: the next reader is sent to load.
    Release,
    /// A value is stored and all leases end. Without `fresh_until` it stays fresh for ever. The value is
    /// the payload.
    Set { grant: u64, fresh_until: Option<UnixMs>, grace: u64, value: Box<[u8]> },
}

/// First byte of the encoded form.
const FILL: u8 = 1;
const REFRESH: u8 = 2;
const SET: u8 = 3;
const RELEASE: u8 = 4;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Effect::Fill { token, since, lease } | Effect::Refresh { token, since, lease } => {
                w.byte(if matches!(self, Effect::Fill { .. }) { FILL } else { REFRESH });
                w.int(*token);
                w.int(*since);
                w.int(*lease);
            }
            Effect::Release => w.byte(RELEASE),
            Effect::Set { grant, fresh_until, grace, value: _ } => {
                w.byte(SET);
                w.int(*grant);
                w.option(*fresh_until, Writer::int);
                w.int(*grace);
            }
        }
        w.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match self {
            Effect::Set { value, .. } => Some(value),
            Effect::Fill { .. } | Effect::Refresh { .. } | Effect::Release => None,
        }
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut r = Reader::new(head);
        let effect = match (r.byte()?, payload) {
            (kind @ (FILL | REFRESH), None) => {
                let token = read_token(&mut r)?;
                let since = read_time(&mut r)?;
                let lease = read_span(&mut r)?;
                if kind == FILL {
                    Effect::Fill { token, since, lease }
                } else {
                    Effect::Refresh { token, since, lease }
                }
            }
            (RELEASE, None) => Effect::Release,
            (SET, Some(value)) => Effect::Set {
                grant: read_token(&mut r)?,
                fresh_until: r.option(read_time)?,
                grace: read_span(&mut r)?,
                value: Box::from(value),
            },
            _ => return Err(Corrupt),
        };
        r.end()?;
        Ok(effect)
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Fill { token, .. } | Effect::Refresh { token, .. } => *token,
            Effect::Set { grant, .. } => *grant,
            Effect::Release => 0,
        }
    }
}
