//! The binary form of an effect.

use crate::domain::calendar::cron::MAX_PATTERN_BYTES;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MAX_AFTER;
use crate::domain::jobq::effect::{AfterFail, Change, Effect, Grant, Grants, JobUpdate};
use crate::domain::jobq::encoding::fields::{
    Bytes, read_at_most, read_below, read_bytes, read_chosen_id, read_duration, read_name, read_near,
    read_on_dead, read_priority, read_until,
};
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::job::Payload;
use crate::domain::jobq::state::new_job::{KeyClaim, NewDependencies, NewJob, NewKey};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::{
    CatchUp, MAX_SCHEDULE_NAME_BYTES, Run, ScheduleEntry, ScheduleSpec,
};
use crate::domain::jobq::state::serial::{MAX_CLOCK, MAX_STORED_TIME, Serial};
use crate::domain::jobq::state::unique_keys::Until;
use crate::domain::value::Effect as _;
use crate::domain::{ratelimit, token, value};

/// Time zones have shorter names.
const MAX_ZONE_BYTES: usize = 64;

const ADVANCE: u8 = 1;
const PUSH: u8 = 2;
const POP: u8 = 3;
const ACK: u8 = 4;
const FAIL: u8 = 5;
const RELEASE: u8 = 6;
const EXTEND: u8 = 7;
const REMOVE: u8 = 8;
const REQUEST_CANCEL: u8 = 9;
const REDRIVE: u8 = 10;
const BATCH: u8 = 11;
const CONFIGURE: u8 = 12;
const PAUSE: u8 = 13;
const SET_SCHEDULE: u8 = 21;
const DELETE_SCHEDULE: u8 = 22;
const RUN_SCHEDULE: u8 = 23;
const SET_NEXT_RUN: u8 = 24;
const HOLD_SCHEDULE: u8 = 25;
const UPDATE: u8 = 14;
const LOG: u8 = 15;
const PURGE: u8 = 16;
const ACK_MANY: u8 = 17;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_room(extra_bytes(&self.change));
        writer.int(self.now);
        match &self.change {
            Change::Batch(changes) => {
                writer.byte(BATCH);
                writer.int(changes.len() as u64);
                for change in changes {
                    write_change(&mut writer, change);
                    // A payload travels beside the effect only where it is the only one.
                    if let Some(payload) = change.payload() {
                        writer.bytes(payload);
                    }
                }
            }
            change => write_change(&mut writer, change),
        }
        writer.finish()
    }

    fn payload(&self) -> Option<&[u8]> {
        self.change.payload()
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(head);
        let now = read_below(MAX_CLOCK, &mut reader)?;
        let change = if reader.clone().byte()? == BATCH {
            reader.byte()?;
            let count = reader.count(2)?;
            let changes = (0..count).map(|_| read_one_of_many(&mut reader)).collect::<Result<_, _>>()?;
            Change::Batch(changes)
        } else {
            let mut change = read_change(&mut reader)?;
            if let Some(place) = change.payload_mut() {
                *place = payload.ok_or(Corrupt)?.into();
            }
            change
        };
        if payload.is_some() != change.payload().is_some() {
            return Err(Corrupt);
        }
        reader.end()?;
        Ok(Effect { now, change })
    }

    fn highest_token(&self) -> u64 {
        match &self.change {
            Change::Pop { grants, .. } => grants.iter().map(|grant| grant.token).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// How many bytes a change takes beyond what most do, roughly: growing step by step would cost a batch more than writing it.
fn extra_bytes(change: &Change) -> usize {
    match change {
        Change::Batch(changes) => {
            let payloads = changes.iter().filter_map(Change::payload);
            changes.len() * 40 + payloads.map(<[u8]>::len).sum::<usize>()
        }
        Change::Pop { grants, .. } => grants.len() * 8,
        Change::AckMany { serials } | Change::Redrive { serials } => serials.len() * 4,
        _ => 0,
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
        Change::Pop { grants, rate, worker } => {
            writer.byte(POP);
            write_grants(writer, grants);
            writer.option(rate.as_deref(), |writer, rate| writer.bytes(&rate.encode()));
            writer.option(worker.as_deref(), Writer::bytes);
        }
        Change::Ack { serial, result } => {
            writer.byte(ACK);
            writer.int(*serial);
            writer.option(result.as_deref(), Writer::bytes);
        }
        Change::AckMany { serials } => {
            writer.byte(ACK_MANY);
            write_serials(writer, serials);
        }
        Change::Fail { serial, error, after_fail } => {
            writer.byte(FAIL);
            writer.int(*serial);
            writer.option(error.as_deref(), Writer::bytes);
            let due = match after_fail {
                AfterFail::Retry { due } => Some(*due),
                AfterFail::Dead => None,
            };
            writer.option(due, Writer::int);
        }
        Change::Release { serial, due } => {
            writer.byte(RELEASE);
            writer.int(*serial);
            writer.option(*due, Writer::int);
        }
        Change::Extend { serial, deadline, progress } => {
            writer.byte(EXTEND);
            writer.int(*serial);
            writer.int(*deadline);
            writer.option(progress.as_deref(), Writer::bytes);
        }
        Change::Remove { serial } => {
            writer.byte(REMOVE);
            writer.int(*serial);
        }
        Change::Purge { serial } => {
            writer.byte(PURGE);
            writer.int(*serial);
        }
        Change::RequestCancel { serial } => {
            writer.byte(REQUEST_CANCEL);
            writer.int(*serial);
        }
        Change::Redrive { serials } => {
            writer.byte(REDRIVE);
            write_serials(writer, serials);
        }
        Change::Configure(config) => {
            writer.byte(CONFIGURE);
            config.write(writer);
        }
        Change::Pause(pause) => {
            writer.byte(PAUSE);
            writer.option(*pause, write_pause);
        }
        Change::SetSchedule { name, spec, next } => {
            writer.byte(SET_SCHEDULE);
            writer.bytes(name);
            write_schedule_spec(writer, spec);
            writer.option(*next, Writer::int);
        }
        Change::DeleteSchedule { name } => {
            writer.byte(DELETE_SCHEDULE);
            writer.bytes(name);
        }
        Change::RunSchedule { name, due } => {
            writer.byte(RUN_SCHEDULE);
            writer.bytes(name);
            writer.int(*due);
        }
        Change::SetNextRun { name, next, behind } => {
            writer.byte(SET_NEXT_RUN);
            writer.bytes(name);
            writer.option(*next, Writer::int);
            writer.int((*behind).into());
        }
        Change::HoldSchedule { name } => {
            writer.byte(HOLD_SCHEDULE);
            writer.bytes(name);
        }
        Change::Update { serial, update } => {
            writer.byte(UPDATE);
            writer.int(*serial);
            write_job_update(writer, update);
        }
        Change::Log { serial, line } => {
            writer.byte(LOG);
            writer.int(*serial);
            writer.bytes(line);
        }
        Change::Batch(_) => debug_assert!(false, "a batch holds no batch"),
    }
}

/// A change; a payload is left empty.
fn read_change(reader: &mut Reader<'_>) -> Result<Change, Corrupt> {
    Ok(match reader.byte()? {
        ADVANCE => Change::Advance { steps: reader.narrow()? },
        PUSH => Change::Push { serial: read_near(reader)?, job: read_new(reader)? },
        POP => {
            let grants = read_grants(reader)?;
            let rate = reader.option(|reader| ratelimit::Effect::decode(reader.bytes()?, None))?;
            Change::Pop { grants, rate: rate.map(Box::new), worker: reader.option(read_bytes)? }
        }
        ACK => Change::Ack { serial: read_near(reader)?, result: reader.option(read_bytes)? },
        ACK_MANY => Change::AckMany { serials: read_serials(reader)? },
        FAIL => {
            let (serial, error) = (read_near(reader)?, reader.option(read_bytes)?);
            let after_fail =
                reader.option(read_near)?.map_or(AfterFail::Dead, |due| AfterFail::Retry { due });
            Change::Fail { serial, error, after_fail }
        }
        RELEASE => Change::Release { serial: read_near(reader)?, due: reader.option(read_near)? },
        EXTEND => Change::Extend {
            serial: read_near(reader)?,
            deadline: read_near(reader)?,
            progress: reader.option(read_bytes)?,
        },
        REMOVE => Change::Remove { serial: read_near(reader)? },
        PURGE => Change::Purge { serial: read_near(reader)? },
        REQUEST_CANCEL => Change::RequestCancel { serial: read_near(reader)? },
        REDRIVE => Change::Redrive { serials: read_serials(reader)? },
        CONFIGURE => Change::Configure(Box::new(Config::read(reader)?)),
        PAUSE => Change::Pause(reader.option(read_pause)?),
        SET_SCHEDULE => Change::SetSchedule {
            name: read_schedule_name(reader)?,
            spec: Box::new(read_schedule_spec(reader)?),
            next: reader.option(read_near)?,
        },
        DELETE_SCHEDULE => Change::DeleteSchedule { name: read_schedule_name(reader)? },
        RUN_SCHEDULE => Change::RunSchedule { name: read_schedule_name(reader)?, due: read_near(reader)? },
        SET_NEXT_RUN => Change::SetNextRun {
            name: read_schedule_name(reader)?,
            next: reader.option(read_near)?,
            behind: reader.narrow()?,
        },
        HOLD_SCHEDULE => Change::HoldSchedule { name: read_schedule_name(reader)? },
        UPDATE => Change::Update { serial: read_near(reader)?, update: read_job_update(reader)? },
        LOG => Change::Log { serial: read_near(reader)?, line: read_bytes(reader)? },
        _ => return Err(Corrupt),
    })
}

pub(crate) fn write_pause(writer: &mut Writer, pause: Pause) {
    writer.option(pause.until, Writer::int);
    writer.bool(pause.pushes);
}

pub(crate) fn read_pause(reader: &mut Reader<'_>) -> Result<Pause, Corrupt> {
    Ok(Pause { until: reader.option(read_near)?, pushes: reader.bool()? })
}

fn read_one_of_many(reader: &mut Reader<'_>) -> Result<Change, Corrupt> {
    let mut change = read_change(reader)?;
    if let Some(payload) = change.payload_mut() {
        *payload = reader.bytes()?.into();
    }
    Ok(change)
}

fn write_serials(writer: &mut Writer, serials: &[Serial]) {
    writer.int(serials.len() as u64);
    serials.iter().for_each(|&serial| writer.int(serial));
}

fn read_serials(reader: &mut Reader<'_>) -> Result<Vec<Serial>, Corrupt> {
    let count = reader.count(1)?;
    (0..count).map(|_| read_near(reader)).collect()
}

/// The token and the deadline of each by how far they are from those before: mostly one, and nothing.
fn write_grants(writer: &mut Writer, grants: &[Grant]) {
    writer.int(grants.len() as u64);
    let (mut token, mut deadline) = (0, 0);
    for grant in grants {
        writer.int(grant.serial);
        write_step(writer, &mut token, grant.token);
        write_step(writer, &mut deadline, grant.deadline);
    }
}

fn read_grants(reader: &mut Reader<'_>) -> Result<Grants, Corrupt> {
    let count = reader.count(3)?;
    let (mut token, mut deadline) = (0, 0);
    let grant = |_| {
        let serial = read_near(reader)?;
        token = read_step(reader, token, token::BOUND)?;
        deadline = read_step(reader, deadline, MAX_STORED_TIME)?;
        if token > 0 { Ok(Grant { serial, token, deadline }) } else { Err(Corrupt) }
    };
    (0..count).map(grant).collect()
}

fn write_step(writer: &mut Writer, before: &mut u64, value: u64) {
    // Both are below 2^53.
    writer.signed(value as i64 - *before as i64);
    *before = value;
}

fn read_step(reader: &mut Reader<'_>, before: u64, bound: u64) -> Result<u64, Corrupt> {
    let value = before.checked_add_signed(reader.signed()?).ok_or(Corrupt)?;
    if value < bound { Ok(value) } else { Err(Corrupt) }
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
    writer.option(job.group.as_deref(), Writer::bytes);
    writer.int(job.expire);
    writer.option(job.keep, Writer::int);
    writer.option(job.unique.as_ref(), write_key);
    writer.option(job.dependencies.as_ref(), write_dependencies);
}

fn read_new(reader: &mut Reader<'_>) -> Result<NewJob, Corrupt> {
    Ok(NewJob {
        payload: Payload::default(),
        due: read_near(reader)?,
        id: reader.option(read_chosen_id)?,
        name: reader.option(read_bytes)?,
        meta: reader.option(read_bytes)?,
        retries: reader.narrow()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        lease: read_duration(reader)?,
        priority: read_priority(reader)?,
        lifo: reader.bool()?,
        group: reader.option(read_name)?,
        expire: read_duration(reader)?,
        keep: reader.option(read_duration)?,
        unique: reader.option(read_key)?,
        dependencies: reader.option(read_dependencies)?,
    })
}

/// What a schedule says, its payload included.
fn write_schedule_spec(writer: &mut Writer, spec: &ScheduleSpec) {
    writer.bytes(&spec.pattern);
    writer.bytes(&spec.zone);
    writer.byte(spec.catch_up as u8);
    writer.bool(spec.overlap);
    write_new(writer, &spec.job);
    writer.bytes(&spec.job.payload);
}

fn read_schedule_spec(reader: &mut Reader<'_>) -> Result<ScheduleSpec, Corrupt> {
    let mut spec = ScheduleSpec {
        pattern: read_at_most(MAX_PATTERN_BYTES, reader)?,
        zone: read_at_most(MAX_ZONE_BYTES, reader)?,
        catch_up: *CatchUp::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        overlap: reader.bool()?,
        job: read_new(reader)?,
    };
    spec.job.payload = reader.bytes()?.into();
    // Every run has an id and a time of its own.
    let NewJob { id, due, unique, dependencies, .. } = &spec.job;
    let plain = id.is_none() && *due == 0 && unique.is_none() && dependencies.is_none();
    if plain { Ok(spec) } else { Err(Corrupt) }
}

/// A schedule as it is saved.
pub(crate) fn write_schedule_entry(writer: &mut Writer, name: &[u8], entry: &ScheduleEntry) {
    writer.bytes(name);
    write_schedule_spec(writer, &entry.spec);
    writer.option(entry.next, Writer::int);
    writer.option(entry.last, |writer, run| {
        writer.int(run.due);
        writer.int(run.serial);
    });
    writer.int(entry.behind.into());
    writer.bool(entry.held);
}

pub(crate) fn read_schedule_entry(reader: &mut Reader<'_>) -> Result<(Bytes, ScheduleEntry), Corrupt> {
    let name = read_schedule_name(reader)?;
    let entry = ScheduleEntry {
        spec: read_schedule_spec(reader)?,
        next: reader.option(read_near)?,
        last: reader.option(|reader| Ok(Run { due: read_near(reader)?, serial: read_near(reader)? }))?,
        behind: reader.narrow()?,
        held: reader.bool()?,
    };
    Ok((name, entry))
}

fn read_schedule_name(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    read_chosen_id(reader)
        .and_then(|name| if name.len() <= MAX_SCHEDULE_NAME_BYTES { Ok(name) } else { Err(Corrupt) })
}

fn write_dependencies(writer: &mut Writer, dependencies: &NewDependencies) {
    writer.byte(dependencies.on_dead as u8);
    writer.option(dependencies.dependency_error.as_deref(), Writer::bytes);
    writer.int(dependencies.after.len() as u64);
    dependencies.after.iter().for_each(|&root| writer.int(root));
}

fn read_dependencies(reader: &mut Reader<'_>) -> Result<NewDependencies, Corrupt> {
    let (on_dead, dependency_error) = (read_on_dead(reader)?, reader.option(read_bytes)?);
    let count = reader.count(1)?;
    if count > MAX_AFTER {
        return Err(Corrupt);
    }
    Ok(NewDependencies {
        after: (0..count).map(|_| read_near(reader)).collect::<Result<_, _>>()?,
        on_dead,
        dependency_error,
    })
}

fn write_key(writer: &mut Writer, unique: &NewKey) {
    writer.bytes(&unique.key);
    writer.byte(unique.until as u8);
    writer.int(unique.window);
    match unique.claim {
        KeyClaim::Free => writer.byte(0),
        KeyClaim::Wait => writer.byte(1),
        KeyClaim::Dead => writer.byte(3),
        KeyClaim::Replace(serial) => {
            writer.byte(2);
            writer.int(serial);
        }
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<NewKey, Corrupt> {
    let (key, until, window) = (read_bytes(reader)?, read_until(reader)?, read_duration(reader)?);
    let claim = match reader.byte()? {
        0 => KeyClaim::Free,
        1 => KeyClaim::Wait,
        3 => KeyClaim::Dead,
        2 => KeyClaim::Replace(read_near(reader)?),
        _ => return Err(Corrupt),
    };
    if until == Until::Time && window == 0 { Err(Corrupt) } else { Ok(NewKey { key, until, window, claim }) }
}

fn write_job_update(writer: &mut Writer, given: &JobUpdate) {
    writer.option(given.priority, |writer, priority| writer.signed(priority.into()));
    writer.option(given.due, Writer::int);
    writer.option(given.retries, |writer, retries| writer.int(retries.into()));
    writer.bool(given.payload.is_some());
}

fn read_job_update(reader: &mut Reader<'_>) -> Result<JobUpdate, Corrupt> {
    Ok(JobUpdate {
        priority: reader.option(read_priority)?,
        due: reader.option(read_near)?,
        retries: reader.option(Reader::narrow)?,
        payload: reader.bool()?.then(Payload::default),
    })
}
