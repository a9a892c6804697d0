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
    pub priority: i32,
    pub lifo: bool,
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
    /// The job is taken out, whatever its state.
    Remove {
        serial: Serial,
    },
    /// Its worker is to be told that it should stop.
    Flag {
        serial: Serial,
    },
    /// Dead jobs are tried again from the beginning.
    Redrive {
        serials: Vec<Serial>,
    },
    /// Several changes one after the other, as a batch makes them; none of them is again a batch.
    Many(Vec<Change>),
}

const ADVANCE: u8 = 1;
const PUSH: u8 = 2;
const POP: u8 = 3;
const ACK: u8 = 4;
const FAIL: u8 = 5;
const RELEASE: u8 = 6;
const EXTEND: u8 = 7;
const REMOVE: u8 = 8;
const FLAG: u8 = 9;
const REDRIVE: u8 = 10;
const MANY: u8 = 11;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.int(self.now);
        match &self.change {
            Change::Many(changes) => {
                writer.byte(MANY);
                writer.int(changes.len() as u64);
                for change in changes {
                    write_change(&mut writer, change);
                    // A payload travels beside the effect only where it is the only one.
                    if let Change::Push { job, .. } = change {
                        writer.bytes(&job.payload);
                    }
                }
            }
            change => write_change(&mut writer, change),
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
        let now = below(FAR, &mut reader)?;
        let change = if reader.clone().byte()? == MANY {
            reader.byte()?;
            let count = reader.count(2)?;
            let changes = (0..count).map(|_| read_one_of_many(&mut reader)).collect::<Result<_, _>>()?;
            Change::Many(changes)
        } else {
            let mut change = read_change(&mut reader)?;
            if let Change::Push { job, .. } = &mut change {
                job.payload = payload.ok_or(Corrupt)?.into();
            }
            change
        };
        if payload.is_some() && !matches!(change, Change::Push { .. }) {
            return Err(Corrupt);
        }
        reader.end()?;
        Ok(Effect { now, change })
    }

    fn highest_token(&self) -> u64 {
        match &self.change {
            Change::Pop { grants } => grants.iter().map(|grant| grant.token).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// A change without payloads.
fn write_change(writer: &mut Writer, change: &Change) {
    match change {
        Change::Advance { steps } => {
            writer.byte(ADVANCE);
            writer.int((*steps).into());
        }
        Change::Push { serial, job } => {
            writer.byte(PUSH);
            writer.int(*serial);
            write_new(writer, job);
        }
        Change::Pop { grants } => {
            writer.byte(POP);
            writer.int(grants.len() as u64);
            for grant in grants {
                writer.int(grant.serial);
                writer.int(grant.token);
                writer.int(grant.deadline);
            }
        }
        Change::Ack { serial, result } => {
            writer.byte(ACK);
            writer.int(*serial);
            writer.option(result.as_deref(), Writer::bytes);
        }
        Change::Fail { serial, error, fate } => {
            writer.byte(FAIL);
            writer.int(*serial);
            writer.option(error.as_deref(), Writer::bytes);
            let due = match fate {
                Fate::Retry { due } => Some(*due),
                Fate::Dead => None,
            };
            writer.option(due, Writer::int);
        }
        Change::Release { serial, due } => {
            writer.byte(RELEASE);
            writer.int(*serial);
            writer.option(*due, Writer::int);
        }
        Change::Extend { serial, deadline } => {
            writer.byte(EXTEND);
            writer.int(*serial);
            writer.int(*deadline);
        }
        Change::Remove { serial } => {
            writer.byte(REMOVE);
            writer.int(*serial);
        }
        Change::Flag { serial } => {
            writer.byte(FLAG);
            writer.int(*serial);
        }
        Change::Redrive { serials } => {
            writer.byte(REDRIVE);
            writer.int(serials.len() as u64);
            serials.iter().for_each(|&serial| writer.int(serial));
        }
        Change::Many(_) => debug_assert!(false, "a batch holds no batch"),
    }
}

/// A change; a PUSH is left without its payload.
fn read_change(reader: &mut Reader<'_>) -> Result<Change, Corrupt> {
    Ok(match reader.byte()? {
        ADVANCE => Change::Advance { steps: reader.narrow()? },
        PUSH => Change::Push { serial: near(reader)?, job: read_new(reader)? },
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
        REMOVE => Change::Remove { serial: near(reader)? },
        FLAG => Change::Flag { serial: near(reader)? },
        REDRIVE => {
            let count = reader.count(1)?;
            Change::Redrive { serials: (0..count).map(|_| near(reader)).collect::<Result<_, _>>()? }
        }
        _ => return Err(Corrupt),
    })
}

fn read_one_of_many(reader: &mut Reader<'_>) -> Result<Change, Corrupt> {
    let mut change = read_change(reader)?;
    if let Change::Push { job, .. } = &mut change {
        job.payload = boxed(reader)?;
    }
    Ok(change)
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

pub(super) fn priority(reader: &mut Reader<'_>) -> Result<i32, Corrupt> {
    i32::try_from(reader.signed()?).map_err(|_| Corrupt)
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
    writer.signed(job.priority.into());
    writer.bool(job.lifo);
}

fn read_new(reader: &mut Reader<'_>) -> Result<NewJob, Corrupt> {
    Ok(NewJob {
        payload: Bytes::default(),
        due: near(reader)?,
        id: reader.option(chosen_id)?,
        name: reader.option(boxed)?,
        meta: reader.option(boxed)?,
        retries: reader.narrow()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        lease: lease(reader)?,
        priority: priority(reader)?,
        lifo: reader.bool()?,
    })
}
