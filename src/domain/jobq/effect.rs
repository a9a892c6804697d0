//! What is replicated of a change.

use super::backoff::Backoff;
use super::queue::Serial;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::{LONGEST, UnixMs};
use crate::domain::token;
use crate::domain::value;

type Bytes = Box<[u8]>;

/// The queue's clock and its next serial are below this: far from overflowing whatever is added.
pub(super) const FAR: u64 = 1 << 52;
/// Any other time or serial is below this: a time below [`FAR`] and the longest duration, at least.
const FARTHEST: u64 = 1 << 53;

/// One job of a POP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub serial: Serial,
    pub token: u64,
    pub deadline: UnixMs,
}

/// What FAIL does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Retry { due: UnixMs },
    Dead,
}

/// A job to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub payload: Bytes,
    /// When it may first be popped.
    pub due: UnixMs,
    pub id: Option<Bytes>,
    pub name: Option<Bytes>,
    pub meta: Option<Bytes>,
    pub retries: u32,
    pub backoff: Option<Box<Backoff>>,
    pub lease: u64,
}

/// A change of a queue at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub now: UnixMs,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What time has made due, at most so many steps of it.
    Advance {
        steps: u32,
    },
    Push {
        serial: Serial,
        job: NewJob,
    },
    Pop {
        grants: Vec<Grant>,
    },
    Ack {
        serial: Serial,
        result: Option<Bytes>,
    },
    Fail {
        serial: Serial,
        error: Option<Bytes>,
        fate: Fate,
    },
    /// Back to its place, or (`due`) later.
    Release {
        serial: Serial,
        due: Option<UnixMs>,
    },
    Extend {
        serial: Serial,
        deadline: UnixMs,
    },
}

const ADVANCE: u8 = 1;
const PUSH: u8 = 2;
const POP: u8 = 3;
const ACK: u8 = 4;
const FAIL: u8 = 5;
const RELEASE: u8 = 6;
const EXTEND: u8 = 7;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        let kind = match &self.change {
            Change::Advance { .. } => ADVANCE,
            Change::Push { .. } => PUSH,
            Change::Pop { .. } => POP,
            Change::Ack { .. } => ACK,
            Change::Fail { .. } => FAIL,
            Change::Release { .. } => RELEASE,
            Change::Extend { .. } => EXTEND,
        };
        writer.byte(kind);
        writer.int(self.now);
        match &self.change {
            Change::Advance { steps } => writer.int((*steps).into()),
            Change::Push { serial, job } => {
                writer.int(*serial);
                write_new(&mut writer, job);
            }
            Change::Pop { grants } => {
                writer.int(grants.len() as u64);
                for grant in grants {
                    writer.int(grant.serial);
                    writer.int(grant.token);
                    writer.int(grant.deadline);
                }
            }
            Change::Ack { serial, result } => {
                writer.int(*serial);
                writer.option(result.as_deref(), Writer::bytes);
            }
            Change::Fail { serial, error, fate } => {
                writer.int(*serial);
                writer.option(error.as_deref(), Writer::bytes);
                let due = match fate {
                    Fate::Retry { due } => Some(*due),
                    Fate::Dead => None,
                };
                writer.option(due, Writer::int);
            }
            Change::Release { serial, due } => {
                writer.int(*serial);
                writer.option(*due, Writer::int);
            }
            Change::Extend { serial, deadline } => {
                writer.int(*serial);
                writer.int(*deadline);
            }
        }
        writer.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        match &self.change {
            Change::Push { job, .. } => Some(&job.payload),
            _ => None,
        }
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(head);
        let (kind, now) = (reader.byte()?, below(FAR, &mut reader)?);
        if (kind == PUSH) != payload.is_some() {
            return Err(Corrupt);
        }
        let reader = &mut reader;
        let change = match kind {
            ADVANCE => Change::Advance { steps: reader.narrow()? },
            PUSH => {
                Change::Push { serial: near(reader)?, job: read_new(reader, payload.unwrap_or_default())? }
            }
            POP => {
                let count = reader.count(3)?;
                let grant = |reader: &mut Reader<'_>| {
                    Ok(Grant { serial: near(reader)?, token: live_token(reader)?, deadline: near(reader)? })
                };
                Change::Pop { grants: (0..count).map(|_| grant(reader)).collect::<Result<_, _>>()? }
            }
            ACK => Change::Ack { serial: near(reader)?, result: reader.option(boxed)? },
            FAIL => {
                let (serial, error) = (near(reader)?, reader.option(boxed)?);
                let fate = reader.option(near)?.map_or(Fate::Dead, |due| Fate::Retry { due });
                Change::Fail { serial, error, fate }
            }
            RELEASE => Change::Release { serial: near(reader)?, due: reader.option(near)? },
            EXTEND => Change::Extend { serial: near(reader)?, deadline: near(reader)? },
            _ => return Err(Corrupt),
        };
        reader.clone().end()?;
        Ok(Effect { now, change })
    }

    fn highest_token(&self) -> u64 {
        match &self.change {
            Change::Pop { grants } => grants.iter().map(|grant| grant.token).max().unwrap_or(0),
            _ => 0,
        }
    }
}

pub(super) fn boxed(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    reader.bytes().map(Box::from)
}

fn below(bound: u64, reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    reader.int().and_then(|value| if value < bound { Ok(value) } else { Err(Corrupt) })
}

/// A time or a serial.
pub(super) fn near(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(FARTHEST, reader)
}

fn live_token(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(token::BOUND, reader).and_then(|token| if token > 0 { Ok(token) } else { Err(Corrupt) })
}

/// A job's own lease, 0 when it has none.
pub(super) fn lease(reader: &mut Reader<'_>) -> Result<u64, Corrupt> {
    below(LONGEST + 1, reader)
}

/// An id that a pusher may choose; the others are automatic.
pub(super) fn chosen_id(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    boxed(reader).and_then(|id| if matches!(id.first(), None | Some(b'#')) { Err(Corrupt) } else { Ok(id) })
}

fn write_new(writer: &mut Writer, job: &NewJob) {
    writer.int(job.due);
    writer.option(job.id.as_deref(), Writer::bytes);
    writer.option(job.name.as_deref(), Writer::bytes);
    writer.option(job.meta.as_deref(), Writer::bytes);
    writer.int(job.retries.into());
    writer.option(job.backoff.as_deref(), |writer, backoff| backoff.write(writer));
    writer.int(job.lease);
}

fn read_new(reader: &mut Reader<'_>, payload: &[u8]) -> Result<NewJob, Corrupt> {
    Ok(NewJob {
        payload: payload.into(),
        due: near(reader)?,
        id: reader.option(chosen_id)?,
        name: reader.option(boxed)?,
        meta: reader.option(boxed)?,
        retries: reader.narrow()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        lease: lease(reader)?,
    })
}
