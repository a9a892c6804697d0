//! What is replicated of a change.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A miss or a stale value: one client may fill.
    Lease { token: u64, until: UnixMs, kept_until: UnixMs },
    /// A value was stored, `by` a token or plainly (0).
    Fill { by: u64, fresh_until: UnixMs, stale_until: UnixMs, value: Box<[u8]> },
    /// A lease was given back; the next one is granted at once, or from `until` on.
    Release { until: Option<UnixMs> },
}

const LEASE: u8 = 1;
const FILL: u8 = 2;
const RELEASE: u8 = 3;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Effect::Lease { token, until, kept_until } => {
                writer.byte(LEASE);
                writer.int(*token);
                writer.int(*until);
                writer.int(*kept_until);
            }
            Effect::Fill { by, fresh_until, stale_until, value: _ } => {
                writer.byte(FILL);
                writer.int(*by);
                writer.int(*fresh_until);
                writer.int(*stale_until);
            }
            Effect::Release { until } => {
                writer.byte(RELEASE);
                writer.option(*until, Writer::int);
            }
        }
        writer.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match self {
            Effect::Fill { value, .. } => Some(value),
            _ => None,
        }
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(head);
        let effect = match (reader.byte()?, payload) {
            (LEASE, None) => {
                Effect::Lease { token: reader.int()?, until: reader.int()?, kept_until: reader.int()? }
            }
            (FILL, Some(value)) => Effect::Fill {
                by: reader.int()?,
                fresh_until: reader.int()?,
                stale_until: reader.int()?,
                value: value.into(),
            },
            (RELEASE, None) => Effect::Release { until: reader.option(Reader::int)? },
            _ => return Err(Corrupt),
        };
        reader.end()?;
        Ok(effect)
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Lease { token, .. } => *token,
            Effect::Fill { by, .. } => *by,
            Effect::Release { .. } => 0,
        }
    }
}
