//! The binary form: the queue's own fields and its events, then its jobs in the order of pushing, then its
//! schedules in the order of their names.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::dependencies::{read_flow, write_flow};
use crate::domain::jobq::encoding::fields::{
    BLOCK, boxed, chosen_id, name, near, priority, read_until, span,
};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::dependencies::Edge;
use crate::domain::jobq::state::job::{Extra, Head, Job, Settled, State, Story};
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::Life;
use crate::domain::jobq::state::serial::{FAR, Serial};
use crate::domain::jobq::state::unique_keys::{Holder, Role, Unique, Until};
use std::sync::Arc;

/// The first byte of a block.
pub(crate) const HEAD: u8 = 1;
pub(crate) const JOBS: u8 = 2;
/// Keys that have outlived their jobs.
pub(crate) const KEYS: u8 = 3;
/// When which group was served last.
pub(crate) const TURNS: u8 = 5;
/// What has been used of the rate.
pub(crate) const RATE: u8 = 6;
pub(crate) const SCHEDULES: u8 = 7;
/// What has happened lately.
pub(crate) const EVENTS: u8 = 8;
/// How much has happened in each minute.
pub(crate) const SERIES: u8 = 9;

impl Queue {
    pub(crate) fn save_turns(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        for (name, group) in self.line.groups() {
            if writer.is_empty() {
                writer.byte(TURNS);
            }
            writer.bytes(name);
            writer.int(group.turn);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    pub(crate) fn load_turns(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let (name, turn) = (name(reader)?, reader.int()?);
            if !self.line.promise(&name, turn) {
                return Err(Corrupt);
            }
        }
        Ok(())
    }

    pub(crate) fn save_keys(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        for (key, claim) in &self.keys.claims {
            let Holder::Gone(id) = &claim.holder else { continue };
            if writer.is_empty() {
                writer.byte(KEYS);
            }
            writer.bytes(key);
            writer.bytes(id);
            writer.int(claim.frees);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    pub(crate) fn load_keys(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let (key, id, frees) = (reader.bytes()?.into(), boxed(reader)?, near(reader)?);
            let last = self.keys.claims.last_key_value();
            if frees == 0 || last.is_some_and(|(last, _)| *last >= key) {
                return Err(Corrupt);
            }
            self.keys.enter_gone(&key, id, frees);
        }
        Ok(())
    }
}

pub(crate) fn write_job(writer: &mut Writer, serial: Serial, job: &Job, queue: &Queue) {
    writer.int(serial);
    writer.bytes(job.payload());
    writer.byte(job.state as u8);
    writer.byte(job.settled as u8);
    for field in [job.at, job.place, job.created, job.token, job.retries.into()] {
        writer.int(field);
    }
    writer.signed(job.priority.into());
    writer.option(job.extra.as_deref(), write_extra);
    write_flow(writer, serial, job, queue);
}

pub(crate) fn read_job(reader: &mut Reader<'_>) -> Result<(Serial, Job, Vec<Edge>), Corrupt> {
    let serial = reader.int()?;
    let payload = reader.bytes()?.into();
    let head = Head {
        state: *State::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        settled: *Settled::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        at: near(reader)?,
        place: near(reader)?,
        created: near(reader)?,
        token: reader.int()?,
        retries: reader.narrow()?,
        priority: priority(reader)?,
        extra: reader.option(read_extra)?.map(Box::new),
    };
    let mut job = Job::new(head, payload);
    let edges = reader.option(|reader| read_flow(reader, serial, &mut job))?.unwrap_or_default();
    Ok((serial, job, edges))
}

fn write_extra(writer: &mut Writer, extra: &Extra) {
    for part in [&extra.id, &extra.name, &extra.meta] {
        writer.option(part.as_deref(), Writer::bytes);
    }
    writer.option(extra.group.as_deref(), Writer::bytes);
    writer.option(extra.life.as_deref(), write_life);
    writer.option(extra.backoff.as_deref(), |writer, backoff| backoff.write(writer));
    writer.int(extra.lease);
    writer.signed(extra.shift);
    writer.bool(extra.lifo);
    writer.option(extra.story.as_deref(), write_story);
}

fn read_extra(reader: &mut Reader<'_>) -> Result<Extra, Corrupt> {
    Ok(Extra {
        id: reader.option(chosen_id)?,
        name: reader.option(boxed)?,
        meta: reader.option(boxed)?,
        group: reader.option(name)?.map(Arc::from),
        life: reader.option(read_life)?.map(Box::new),
        backoff: reader.option(Backoff::read)?.map(Box::new),
        lease: span(reader)?,
        shift: shift(reader)?,
        lifo: reader.bool()?,
        story: reader.option(read_story)?.map(Box::new),
    })
}

fn write_story(writer: &mut Writer, story: &Story) {
    writer.int(story.failures.into());
    writer.int(story.stalls.into());
    writer.bool(story.cancelled);
    for part in [&story.error, &story.result, &story.worker, &story.progress] {
        writer.option(part.as_deref(), Writer::bytes);
    }
    writer.option(story.log.as_deref(), |writer, log| log.write(writer));
}

fn read_story(reader: &mut Reader<'_>) -> Result<Story, Corrupt> {
    Ok(Story {
        failures: reader.narrow()?,
        stalls: reader.narrow()?,
        cancelled: reader.bool()?,
        error: reader.option(boxed)?,
        result: reader.option(boxed)?,
        worker: reader.option(boxed)?,
        progress: reader.option(boxed)?,
        log: reader.option(Log::read)?.map(Box::new),
    })
}

fn write_life(writer: &mut Writer, life: &Life) {
    writer.int(life.expire);
    writer.int(life.expires);
    writer.option(life.keep, Writer::int);
    writer.option(life.unique.as_ref(), |writer, unique| {
        writer.bytes(&unique.key);
        writer.byte(unique.until as u8);
        writer.byte(unique.role as u8);
        writer.int(unique.window);
        writer.int(unique.frees);
    });
    writer.option(life.anchor, Writer::int);
}

fn read_life(reader: &mut Reader<'_>) -> Result<Life, Corrupt> {
    let (expire, expires, keep) = (span(reader)?, near(reader)?, reader.option(span)?);
    let (unique, anchor) = (reader.option(read_unique)?, reader.option(near)?);
    let life = Life { expire, expires, keep, unique, flow: None, anchor };
    if expires == 0 || expire > 0 { Ok(life) } else { Err(Corrupt) }
}

fn read_unique(reader: &mut Reader<'_>) -> Result<Unique, Corrupt> {
    let (key, until) = (reader.bytes()?.into(), read_until(reader)?);
    let role = *Role::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
    let (window, frees) = (span(reader)?, near(reader)?);
    let is_timed = role == Role::Holds && window > 0;
    if is_timed != (frees > 0) || (until == Until::Time && window == 0) {
        return Err(Corrupt);
    }
    Ok(Unique { key, until, window, role, frees })
}

/// What aging has added to a priority.
fn shift(reader: &mut Reader<'_>) -> Result<Rank, Corrupt> {
    let shift = reader.signed()?;
    if (0..FAR as Rank).contains(&shift) { Ok(shift) } else { Err(Corrupt) }
}

/// Whether the parts of a job agree.
pub(crate) fn is_sound(job: &Job) -> bool {
    let state = match job.state {
        State::Ready => job.at == job.place,
        State::Active => job.token > 0 && job.settled == Settled::Open,
        State::Blocked => job.is_next() || job.open() > 0,
        State::Delayed | State::Done | State::Dead => true,
    };
    let held = job.state == State::Active || job.worker().is_none();
    let key = job.unique().is_none_or(|unique| match unique.role {
        Role::Past => true,
        Role::Next => job.state == State::Blocked,
        Role::Holds => match job.state {
            State::Done | State::Dead => unique.until == Until::Time,
            State::Active => unique.until != Until::Start,
            _ => true,
        },
    });
    state && held && key && (job.state == State::Done) == (job.settled == Settled::Acked)
}
