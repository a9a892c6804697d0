//! The state under one key.

use super::effect::Effect;
use super::fingerprint::Fingerprint;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};

/// Where the work stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// A new record, before its first effect.
    Empty,
    /// Somebody works under a lease that ends at `until`.
    Leased { until: UnixMs, owner: Option<Box<[u8]>> },
    /// Given back; free from `until` on.
    Released { until: UnixMs },
    /// Completed at `at`.
    Done { at: UnixMs, result: Box<[u8]>, meta: Option<Box<[u8]>> },
}

/// An idempotency record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub(super) phase: Phase,
    /// Of the last claim; what COMPLETE and RELEASE must show.
    pub(super) token: u64,
    /// How many claims have been granted.
    pub(super) attempt: u32,
    pub(super) fingerprint: Option<Fingerprint>,
    /// In milliseconds, as the last claim said.
    pub(super) ttl: u64,
    /// When the record is forgotten.
    pub(super) expires: UnixMs,
}

impl Default for Record {
    fn default() -> Self {
        Record { phase: Phase::Empty, token: 0, attempt: 0, fingerprint: None, ttl: 0, expires: 0 }
    }
}

impl Record {
    /// The record if it is still remembered.
    pub(super) fn alive(state: Option<&Record>, now: UnixMs) -> Option<&Record> {
        state.filter(|record| now < record.expires)
    }

    /// When somebody who waits for this record should look again.
    pub fn next_due(&self) -> Option<UnixMs> {
        match self.phase {
            Phase::Leased { until, .. } | Phase::Released { until } => Some(until.min(self.expires)),
            Phase::Empty | Phase::Done { .. } => None,
        }
    }
}

impl Value for Record {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Claim { token, until, owner, attempt, fingerprint, ttl, expires } => {
                *self = Record {
                    phase: Phase::Leased { until, owner },
                    token,
                    attempt,
                    fingerprint,
                    ttl,
                    expires,
                };
            }
            Effect::Complete { token, at, result, meta, expires } => {
                self.phase = Phase::Done { at, result, meta };
                self.token = token;
                self.expires = expires;
            }
            Effect::Release { token, until, expires } => {
                self.phase = Phase::Released { until };
                self.token = token;
                self.expires = expires;
            }
        }
    }

    fn lifetime(&self) -> Lifetime {
        match self.phase {
            Phase::Empty => Lifetime::Over,
            _ => Lifetime::Until(self.expires),
        }
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        match &self.phase {
            Phase::Empty => return,
            Phase::Leased { until, owner } => {
                writer.byte(1);
                writer.int(*until);
                writer.option(owner.as_deref(), Writer::bytes);
            }
            Phase::Released { until } => {
                writer.byte(2);
                writer.int(*until);
            }
            Phase::Done { at, result, meta } => {
                writer.byte(3);
                writer.int(*at);
                writer.bytes(result);
                writer.option(meta.as_deref(), Writer::bytes);
            }
        }
        writer.int(self.token);
        writer.int(self.attempt.into());
        writer.option(self.fingerprint.as_ref(), |writer, print| writer.raw(print));
        writer.int(self.ttl);
        writer.int(self.expires);
        emit(&writer.finish());
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut reader = Reader::new(block);
        let boxed = |reader: &mut Reader<'_>| reader.bytes().map(Box::from);
        let phase = match reader.byte()? {
            1 => Phase::Leased { until: reader.int()?, owner: reader.option(boxed)? },
            2 => Phase::Released { until: reader.int()? },
            3 => Phase::Done { at: reader.int()?, result: boxed(&mut reader)?, meta: reader.option(boxed)? },
            _ => return Err(Corrupt),
        };
        *self = Record {
            phase,
            token: reader.int()?,
            attempt: reader.narrow()?,
            fingerprint: reader.option(Reader::array)?,
            ttl: reader.int()?,
            expires: reader.int()?,
        };
        reader.end()
    }

    fn loaded(&mut self) -> Result<(), Corrupt> {
        // A value without a block is none, and neither is a record that nobody was granted.
        let sound = self.phase != Phase::Empty && self.attempt > 0 && i64::try_from(self.expires).is_ok();
        if sound { Ok(()) } else { Err(Corrupt) }
    }

    fn memory(&self) -> usize {
        let parts = match &self.phase {
            Phase::Leased { owner, .. } => owner.as_ref().map_or(0, |owner| owner.len()),
            Phase::Done { result, meta, .. } => result.len() + meta.as_ref().map_or(0, |meta| meta.len()),
            Phase::Empty | Phase::Released { .. } => 0,
        };
        size_of::<Self>() + parts
    }

    fn free_effort(&self) -> usize {
        2
    }

    /// A copy is nobody's to complete: what was being done is free to be claimed in it.
    fn duplicate(&self) -> Self {
        let phase = match &self.phase {
            Phase::Leased { .. } => Phase::Released { until: 0 },
            phase => phase.clone(),
        };
        Record { phase, ..self.clone() }
    }

    fn highest_token(&self) -> u64 {
        self.token
    }
}
