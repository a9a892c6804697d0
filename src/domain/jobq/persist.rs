//! The binary form: the queue's own fields, then its jobs in the order of pushing.

use super::backoff::Backoff;
use super::effect::{Effect, FAR, boxed, chosen_id, lease, near, priority};
use super::job::{Extra, Job, Settled, State};
use super::queue::{Queue, Serial, Totals};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::token;
use crate::domain::value::{Lifetime, Value};

/// Blocks end after this many bytes.
const BLOCK: usize = 64 * 1024;

/// The first byte of a block.
const HEAD: u8 = 1;
const JOBS: u8 = 2;

impl Value for Queue {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        self.make_happen(effect);
    }

    fn overdue(&self, now: UnixMs) -> Option<Effect> {
        self.overdue_at(now)
    }

    /// A queue stays until it is deleted: it counts what has happened, and knows ids.
    fn lifetime(&self) -> Lifetime {
        Lifetime::Endless
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        writer.byte(HEAD);
        for field in [self.clock, self.next_serial, self.highest_token] {
            writer.int(field);
        }
        let Totals { pushed, acked, failed, retried, stalled, died } = self.totals;
        for total in [pushed, acked, failed, retried, stalled, died] {
            writer.int(total);
        }
        emit(&writer.take());
        for (serial, job) in &self.jobs {
            if writer.is_empty() {
                writer.byte(JOBS);
            }
            write_job(&mut writer, *serial, job);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut reader = Reader::new(block);
        match reader.byte()? {
            // Jobs that came before it could contradict it.
            HEAD if self.jobs.is_empty() => {
                (self.clock, self.next_serial, self.highest_token) =
                    (reader.int()?, reader.int()?, reader.int()?);
                self.totals = Totals {
                    pushed: reader.int()?,
                    acked: reader.int()?,
                    failed: reader.int()?,
                    retried: reader.int()?,
                    stalled: reader.int()?,
                    died: reader.int()?,
                };
                reader.end()
            }
            JOBS => {
                while !reader.is_empty() {
                    let (serial, job) = read_job(&mut reader)?;
                    let next = self.jobs.last_key_value().map_or(0, |(last, _)| last + 1);
                    let known = (next..self.next_serial).contains(&serial) && job.token <= self.highest_token;
                    if !known || !is_sound(&job) || !self.insert(serial, job) {
                        return Err(Corrupt);
                    }
                }
                Ok(())
            }
            _ => Err(Corrupt),
        }
    }

    fn loaded(&mut self) -> Result<(), Corrupt> {
        let near = self.clock < FAR && self.next_serial < FAR && self.highest_token < token::BOUND;
        if near { Ok(()) } else { Err(Corrupt) }
    }

    fn memory(&self) -> usize {
        // Two nodes of ordered sets for each job, each about two thirds full; one at least for a priority.
        size_of::<Self>() + self.weight + self.jobs.len() * 60 + self.line.priorities() * 240
    }

    fn free_effort(&self) -> usize {
        self.jobs.len()
    }

    /// Leases stay with the original: what is being worked on is ready again in the copy.
    fn duplicate(&self) -> Self {
        let mut copy = Queue::default();
        copy.clock = self.clock;
        copy.next_serial = self.next_serial;
        copy.highest_token = self.highest_token;
        copy.totals = self.totals;
        for (serial, job) in &self.jobs {
            let mut job = Job::clone(job);
            if job.state == State::Active {
                if job.is_cancelled() {
                    continue;
                }
                job.state = State::Ready;
                job.at = job.place;
            }
            // No holder of the original can settle a job of the copy.
            job.token = 0;
            copy.insert(*serial, job);
        }
        copy
    }

    fn latest_time(&self) -> UnixMs {
        self.clock
    }

    fn highest_token(&self) -> u64 {
        self.highest_token
    }
}

fn write_job(writer: &mut Writer, serial: Serial, job: &Job) {
    writer.int(serial);
    writer.bytes(&job.payload);
    writer.byte(job.state as u8);
    writer.byte(job.settled as u8);
    for field in [job.at, job.place, job.created, job.token, job.lease] {
        writer.int(field);
    }
    for field in [job.failures, job.stalls, job.retries] {
        writer.int(field.into());
    }
    writer.signed(job.priority.into());
    writer.bool(job.lifo);
    writer.option(job.backoff.as_deref(), |writer, backoff| backoff.write(writer));
    writer.option(job.extra.as_deref(), |writer, extra| {
        for part in [&extra.id, &extra.name, &extra.meta, &extra.error, &extra.result] {
            writer.option(part.as_deref(), Writer::bytes);
        }
        writer.bool(extra.cancelled);
    });
}

fn read_job(reader: &mut Reader<'_>) -> Result<(Serial, Job), Corrupt> {
    let serial = reader.int()?;
    let payload = boxed(reader)?;
    let state = *State::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
    let settled = *Settled::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
    let job = Job {
        payload,
        state,
        settled,
        at: near(reader)?,
        place: near(reader)?,
        created: near(reader)?,
        token: reader.int()?,
        lease: lease(reader)?,
        failures: reader.narrow()?,
        stalls: reader.narrow()?,
        retries: reader.narrow()?,
        priority: priority(reader)?,
        lifo: reader.bool()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        extra: reader.option(|reader| {
            let id = reader.option(chosen_id)?;
            let mut part = || reader.option(boxed);
            let (name, meta, error, result) = (part()?, part()?, part()?, part()?);
            Ok(Box::new(Extra { id, name, meta, error, result, cancelled: reader.bool()? }))
        })?,
    };
    Ok((serial, job))
}

/// Whether the parts of a job agree.
fn is_sound(job: &Job) -> bool {
    let state = match job.state {
        State::Ready => job.at == job.place,
        State::Active => job.token > 0 && job.settled == Settled::Open,
        State::Delayed | State::Done | State::Dead => true,
    };
    state && (job.state == State::Done) == (job.settled == Settled::Acked)
}
