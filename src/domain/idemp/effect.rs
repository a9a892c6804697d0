//! What is replicated of a change.

use super::fingerprint::Fingerprint;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Claim {
        token: u64,
        until: UnixMs,
        owner: Option<Box<[u8]>>,
        attempt: u32,
        fingerprint: Option<Fingerprint>,
        ttl: u64,
        expires: UnixMs,
    },
    Complete {
        token: u64,
        at: UnixMs,
        result: Box<[u8]>,
        meta: Option<Box<[u8]>>,
        expires: UnixMs,
    },
    Release {
        token: u64,
        until: UnixMs,
        expires: UnixMs,
    },
}

const CLAIM: u8 = 1;
const COMPLETE: u8 = 2;
const RELEASE: u8 = 3;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        match self {
            Effect::Claim { token, until, owner, attempt, fingerprint, ttl, expires } => {
                writer.byte(CLAIM);
                writer.int(*token);
                writer.int(*until);
                writer.option(owner.as_deref(), Writer::bytes);
                writer.int((*attempt).into());
                writer.option(fingerprint.as_ref(), |writer, print| writer.raw(print));
                writer.int(*ttl);
                writer.int(*expires);
            }
            Effect::Complete { token, at, result: _, meta, expires } => {
                writer.byte(COMPLETE);
                writer.int(*token);
                writer.int(*at);
                writer.option(meta.as_deref(), Writer::bytes);
                writer.int(*expires);
            }
            Effect::Release { token, until, expires } => {
                writer.byte(RELEASE);
                writer.int(*token);
                writer.int(*until);
                writer.int(*expires);
            }
        }
        writer.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match self {
            Effect::Complete { result, .. } => Some(result),
            _ => None,
        }
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(head);
        let boxed = |reader: &mut Reader<'_>| reader.bytes().map(Box::from);
        let effect = match (reader.byte()?, payload) {
            (CLAIM, None) => Effect::Claim {
                token: reader.int()?,
                until: reader.int()?,
                owner: reader.option(boxed)?,
                attempt: reader.narrow()?,
                fingerprint: reader.option(Reader::array)?,
                ttl: reader.int()?,
                expires: reader.int()?,
            },
            (COMPLETE, Some(result)) => Effect::Complete {
                token: reader.int()?,
                at: reader.int()?,
                result: result.into(),
                meta: reader.option(boxed)?,
                expires: reader.int()?,
            },
            (RELEASE, None) => {
                Effect::Release { token: reader.int()?, until: reader.int()?, expires: reader.int()? }
            }
            _ => return Err(Corrupt),
        };
        reader.end()?;
        Ok(effect)
    }

    fn highest_token(&self) -> u64 {
        match self {
            Effect::Claim { token, .. } | Effect::Complete { token, .. } | Effect::Release { token, .. } => {
                *token
            }
        }
    }
}
