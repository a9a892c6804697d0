//! The binary form of jobs, group turns and unique keys. `jobq/value.rs` writes the head block and
//! sets the order of the blocks.

use crate::domain::codec::ranges::read_token_or_zero;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::encoding::dependencies::{read_dependencies, write_dependencies};
use crate::domain::jobq::encoding::fields::{
    BLOCK, read_bytes, read_chosen_id, read_duration, read_kind, read_name, read_near, read_priority,
    read_until,
};
use crate::domain::jobq::encoding::shared_rate::{read_job_rate, write_job_rate};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::dependencies::Edge;
use crate::domain::jobq::state::job::{BorrowedJob, Job, JobHistory, JobOptions};
use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome, State};
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::serial::{MAX_CLOCK, Serial};
use crate::domain::jobq::state::unique_keys::{KeyHolder, KeyRole, Unique, Until};
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
        for (name, group) in self.ready.groups() {
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
            let (name, turn) = (read_name(reader)?, reader.int()?);
            if !self.ready.preload_turn(&name, turn) {
                return Err(Corrupt);
            }
        }
        Ok(())
    }

    pub(crate) fn save_keys(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        for (key, claim) in &self.keys.held {
            let KeyHolder::Gone(id) = &claim.holder else { continue };
            if writer.is_empty() {
                writer.byte(KEYS);
            }
            writer.bytes(key);
            writer.bytes(id);
            writer.int(claim.free_at);
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
            let (key, id, free_at) = (reader.bytes()?.into(), read_bytes(reader)?, read_near(reader)?);
            let last = self.keys.held.last_key_value();
            if free_at == 0 || last.is_some_and(|(last, _)| *last >= key) {
                return Err(Corrupt);
            }
            self.keys.restore_orphan(&key, id, free_at);
        }
        Ok(())
    }
}

pub(crate) fn write_job(writer: &mut Writer, serial: Serial, job: BorrowedJob<'_>, queue: &Queue) {
    writer.int(serial);
    writer.bytes(job.payload());
    writer.byte(job.state as u8);
    writer.byte(job.last_outcome as u8);
    for field in [job.at, job.ready_at, job.created, job.token, job.retries.into()] {
        writer.int(field);
    }
    writer.signed(job.priority.into());
    writer.option(job.options, write_options);
    write_dependencies(writer, serial, job, queue);
}

pub(crate) fn read_job(reader: &mut Reader<'_>, encoding: u32) -> Result<(Serial, Job, Vec<Edge>), Corrupt> {
    let serial = reader.int()?;
    let payload = reader.bytes()?.into();
    let head = JobHeader {
        state: *State::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        last_outcome: *LastOutcome::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        at: read_near(reader)?,
        ready_at: read_near(reader)?,
        created: read_near(reader)?,
        token: read_token_or_zero(reader)?,
        retries: reader.narrow()?,
        priority: read_priority(reader)?,
    };
    let mut job = Job::new(head, payload);
    job.options = reader.option(|reader| read_options(reader, encoding))?.map(Box::new);
    let edges = reader.option(|reader| read_dependencies(reader, serial, &mut job, encoding))?;
    let edges = edges.unwrap_or_default();
    Ok((serial, job, edges))
}

fn write_options(writer: &mut Writer, options: &JobOptions) {
    for part in [&options.id, &options.name, &options.meta] {
        writer.option(part.as_deref(), Writer::bytes);
    }
    writer.option(options.group.as_deref(), Writer::bytes);
    writer.option(options.lifetime.as_deref(), write_lifetime);
    writer.option(options.backoff.as_deref(), |writer, backoff| backoff.write(writer));
    writer.int(options.lease);
    writer.signed(options.shift);
    writer.bool(options.lifo);
    writer.option(options.history.as_deref(), write_history);
    writer.int(options.batch);
    writer.byte(options.name_row);
    writer.int(options.run_started);
    writer.option(options.rate.as_deref(), write_job_rate);
}

fn read_options(reader: &mut Reader<'_>, encoding: u32) -> Result<JobOptions, Corrupt> {
    Ok(JobOptions {
        id: reader.option(read_chosen_id)?,
        name: reader.option(read_bytes)?,
        meta: reader.option(read_bytes)?,
        group: reader.option(read_name)?.map(Arc::from),
        lifetime: reader.option(|reader| read_lifetime(reader, encoding))?.map(Box::new),
        backoff: reader.option(Backoff::read)?.map(Box::new),
        lease: read_duration(reader)?,
        shift: shift(reader)?,
        lifo: reader.bool()?,
        history: reader.option(|reader| read_history(reader, encoding))?.map(Box::new),
        batch: if encoding >= 5 { read_token_or_zero(reader)? } else { 0 },
        name_row: if encoding >= 8 { reader.byte()? } else { 0 },
        run_started: if encoding >= 8 { read_near(reader)? } else { 0 },
        rate: if encoding >= 9 { reader.option(read_job_rate)?.map(Box::new) } else { None },
    })
}

fn write_history(writer: &mut Writer, history: &JobHistory) {
    writer.int(history.failures.into());
    writer.int(history.stalls.into());
    writer.bool(history.cancelled);
    for part in [&history.error, &history.kind, &history.result, &history.worker, &history.progress] {
        writer.option(part.as_deref(), Writer::bytes);
    }
    writer.byte(history.kind_row);
    writer.option(history.log.as_deref(), |writer, log| log.write(writer));
}

fn read_history(reader: &mut Reader<'_>, encoding: u32) -> Result<JobHistory, Corrupt> {
    Ok(JobHistory {
        failures: reader.narrow()?,
        stalls: reader.narrow()?,
        cancelled: reader.bool()?,
        error: reader.option(read_bytes)?,
        kind: if encoding >= 3 { reader.option(read_kind)? } else { None },
        result: reader.option(read_bytes)?,
        worker: reader.option(read_bytes)?,
        progress: reader.option(read_bytes)?,
        kind_row: if encoding >= 8 { reader.byte()? } else { 0 },
        log: reader.option(Log::read)?.map(Box::new),
    })
}

fn write_lifetime(writer: &mut Writer, lifetime: &JobLifetime) {
    writer.int(lifetime.expire);
    writer.int(lifetime.expires);
    writer.option(lifetime.keep, Writer::int);
    writer.option(lifetime.unique.as_ref(), |writer, unique| {
        writer.bytes(&unique.key);
        writer.byte(unique.until as u8);
        writer.byte(unique.role as u8);
        writer.int(unique.window);
        writer.int(unique.free_at);
        writer.int(unique.since);
    });
    writer.option(lifetime.root, Writer::int);
}

fn read_lifetime(reader: &mut Reader<'_>, encoding: u32) -> Result<JobLifetime, Corrupt> {
    let (expire, expires, keep) = (read_duration(reader)?, read_near(reader)?, reader.option(read_duration)?);
    let (unique, root) = (reader.option(|reader| read_unique(reader, encoding))?, reader.option(read_near)?);
    let lifetime = JobLifetime { expire, expires, keep, unique, dependencies: None, root };
    if expires == 0 || expire > 0 { Ok(lifetime) } else { Err(Corrupt) }
}

fn read_unique(reader: &mut Reader<'_>, encoding: u32) -> Result<Unique, Corrupt> {
    let (key, until) = (reader.bytes()?.into(), read_until(reader)?);
    let role = *KeyRole::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
    let (window, free_at) = (read_duration(reader)?, read_near(reader)?);
    let since = if encoding >= 4 { read_near(reader)? } else { 0 };
    let is_timed = role == KeyRole::Holds && window > 0;
    if is_timed != (free_at > 0) || (until == Until::Time && window == 0) {
        return Err(Corrupt);
    }
    Ok(Unique { key, until, window, role, free_at, since })
}

/// What aging has added to a priority.
fn shift(reader: &mut Reader<'_>) -> Result<Rank, Corrupt> {
    let shift = reader.signed()?;
    if (0..MAX_CLOCK as Rank).contains(&shift) { Ok(shift) } else { Err(Corrupt) }
}

/// Whether the parts of a job agree.
pub(crate) fn is_sound(job: BorrowedJob<'_>) -> bool {
    let state = match job.state {
        State::Ready => job.at == job.ready_at,
        State::Active => job.token > 0 && job.last_outcome == LastOutcome::Open,
        State::Blocked => job.is_next() || job.open() > 0,
        State::Delayed | State::Done | State::Dead => true,
    };
    let held = job.state == State::Active || job.worker().is_none();
    let key = job.unique().is_none_or(|unique| match unique.role {
        KeyRole::Past => true,
        KeyRole::Next => job.state == State::Blocked,
        KeyRole::Holds => match job.state {
            State::Done | State::Dead => unique.until == Until::Time,
            State::Active => unique.until != Until::Start,
            _ => true,
        },
    });
    let batch = job.batch() == 0 || job.group().is_some();
    let run = job.state != State::Done || job.options.is_none_or(|options| options.run_started == 0);
    let is_running = job.token > 0 && !matches!(job.last_outcome, LastOutcome::Acked | LastOutcome::Failed);
    let charge = job.rate_charge().is_none() || is_running;
    state
        && held
        && key
        && batch
        && run
        && charge
        && (job.state == State::Done) == (job.last_outcome == LastOutcome::Acked)
}
