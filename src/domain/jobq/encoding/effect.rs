//! The binary form of an effect.

use crate::domain::codec::ranges::read_token;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::effect::{AfterFail, Change, Effect, Grant, Grants, GroupCharge, JobUpdate};
use crate::domain::jobq::encoding::fields::{
    read_below, read_bytes, read_concurrency, read_kind, read_name, read_near, read_priority,
};
use crate::domain::jobq::encoding::new_job::{read_dependencies, read_new, write_dependencies, write_new};
use crate::domain::jobq::encoding::schedule::{
    read_run_bounds, read_schedule_name, read_schedule_spec, write_run_bounds, write_schedule_spec,
};
use crate::domain::jobq::state::config::{Config, FIELDS_BEFORE_GROUP_RATE};
use crate::domain::jobq::state::job::Payload;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::{RunBounds, RunProgress};
use crate::domain::jobq::state::serial::{MAX_CLOCK, MAX_STORED_TIME, Serial};
use crate::domain::value::Effect as _;
use crate::domain::{long_token, ratelimit, value};

const ADVANCE: u8 = 1;
const PUSH: u8 = 2;
/// Before 0.1.0.
const POP_WITH_LONG_TOKENS: u8 = 3;
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
/// [`SET_SCHEDULE`] with START, END or RUNS.
const SET_BOUNDED_SCHEDULE: u8 = 26;
/// [`SET_NEXT_RUN`] with more of the progress than the number of missed runs.
const SET_NEXT_RUN_AND_PROGRESS: u8 = 27;
const UPDATE: u8 = 14;
const LOG: u8 = 15;
const PURGE: u8 = 16;
const ACK_MANY: u8 = 17;
/// With a kind or a progress.
const FAIL_WITH_REPORT: u8 = 18;
/// With a progress.
const RELEASE_WITH_PROGRESS: u8 = 19;
/// With a batch.
const POP_BATCH: u8 = 28;
const POP: u8 = 29;
/// With group_rate.
const CONFIGURE_GROUP_RATE: u8 = 30;
const PAUSE_GROUP: u8 = 31;
const SET_GROUP: u8 = 32;
/// With the charges of groups, and a batch or none.
const POP_WITH_CHARGES: u8 = 33;
/// With LIFO, FIFO or NOUNIQUE.
const UPDATE_ORDER_OR_KEY: u8 = 20;
/// With AFTER, and with LIFO, FIFO or NOUNIQUE or without.
const UPDATE_PARENTS: u8 = 36;

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

    fn read(reader: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let now = read_below(MAX_CLOCK, reader)?;
        reader.note_time(now);
        let change = if reader.clone().byte()? == BATCH {
            reader.byte()?;
            let count = reader.count(2)?;
            let changes = (0..count).map(|_| read_one_of_many(reader)).collect::<Result<_, _>>()?;
            Change::Batch(changes)
        } else {
            let mut change = read_change(reader)?;
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

/// How many bytes a change takes beyond what most do, roughly: growing step by step would cost a
/// batch more than writing it.
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
        Change::Pop { grants, rate, worker, batch, group_rates } => {
            if !group_rates.is_empty() {
                writer.byte(POP_WITH_CHARGES);
                writer.option(*batch, Writer::int);
                writer.int(group_rates.len() as u64);
                for GroupCharge { nth, effect } in group_rates {
                    writer.int(*nth as u64);
                    writer.bytes(&effect.encode());
                }
            } else if let Some(batch) = batch {
                writer.byte(POP_BATCH);
                writer.int(*batch);
            } else {
                writer.byte(POP);
            }
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
        Change::Fail { serial, error, kind, progress, after_fail } => {
            let has_report = kind.is_some() || progress.is_some();
            writer.byte(if has_report { FAIL_WITH_REPORT } else { FAIL });
            writer.int(*serial);
            writer.option(error.as_deref(), Writer::bytes);
            if has_report {
                writer.option(kind.as_deref(), Writer::bytes);
                writer.option(progress.as_deref(), Writer::bytes);
            }
            let due = match after_fail {
                AfterFail::Retry { due } => Some(*due),
                AfterFail::Dead => None,
            };
            writer.option(due, Writer::int);
        }
        Change::Release { serial, due, progress } => {
            writer.byte(if progress.is_some() { RELEASE_WITH_PROGRESS } else { RELEASE });
            writer.int(*serial);
            writer.option(*due, Writer::int);
            if let Some(progress) = progress {
                writer.bytes(progress);
            }
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
            let count = if config.group_rate.is_some() { Config::COUNT } else { FIELDS_BEFORE_GROUP_RATE };
            writer.byte(if count == Config::COUNT { CONFIGURE_GROUP_RATE } else { CONFIGURE });
            config.write(writer, count);
        }
        Change::Pause(pause) => {
            writer.byte(PAUSE);
            writer.option(*pause, write_pause);
        }
        Change::PauseGroup { group, pause } => {
            writer.byte(PAUSE_GROUP);
            writer.bytes(group);
            writer.option(*pause, write_pause);
        }
        Change::SetGroup { group, concurrency } => {
            writer.byte(SET_GROUP);
            writer.bytes(group);
            writer.option(*concurrency, |writer, concurrency| writer.int(concurrency.into()));
        }
        Change::SetSchedule { name, spec, next } => {
            let is_bounded = spec.bounds != RunBounds::default();
            writer.byte(if is_bounded { SET_BOUNDED_SCHEDULE } else { SET_SCHEDULE });
            writer.bytes(name);
            write_schedule_spec(writer, spec);
            if is_bounded {
                write_run_bounds(writer, spec.bounds);
            }
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
        Change::SetNextRun { name, next, progress } => {
            let RunProgress { made, behind, missed_until } = *progress;
            let has_more = (made, missed_until) != (0, 0);
            writer.byte(if has_more { SET_NEXT_RUN_AND_PROGRESS } else { SET_NEXT_RUN });
            writer.bytes(name);
            writer.option(*next, Writer::int);
            writer.int(behind.into());
            if has_more {
                writer.int(made);
                writer.int(missed_until);
            }
        }
        Change::HoldSchedule { name } => {
            writer.byte(HOLD_SCHEDULE);
            writer.bytes(name);
        }
        Change::Update { serial, update } => {
            let is_long = update.lifo.is_some() || update.no_unique || update.parents.is_some();
            writer.byte(match (&update.parents, is_long) {
                (Some(_), _) => UPDATE_PARENTS,
                (None, true) => UPDATE_ORDER_OR_KEY,
                (None, false) => UPDATE,
            });
            writer.int(*serial);
            write_job_update(writer, update, is_long);
            if let Some(parents) = &update.parents {
                write_dependencies(writer, parents);
            }
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
        code @ (POP | POP_BATCH | POP_WITH_CHARGES | POP_WITH_LONG_TOKENS) => {
            if code == POP_WITH_LONG_TOKENS {
                reader.expect_long_tokens();
            }
            let batch = match code {
                POP_BATCH => Some(read_token(reader)?),
                POP_WITH_CHARGES => reader.option(read_token)?,
                _ => None,
            };
            let group_rates = if code == POP_WITH_CHARGES { read_charges(reader)? } else { Vec::new() };
            let grants = read_grants(reader)?;
            let rate = reader.option(|reader| ratelimit::Effect::decode(reader.bytes()?, None))?;
            Change::Pop {
                grants,
                rate: rate.map(Box::new),
                worker: reader.option(read_bytes)?,
                batch,
                group_rates,
            }
        }
        ACK => Change::Ack { serial: read_near(reader)?, result: reader.option(read_bytes)? },
        ACK_MANY => Change::AckMany { serials: read_serials(reader)? },
        code @ (FAIL | FAIL_WITH_REPORT) => {
            let (serial, error) = (read_near(reader)?, reader.option(read_bytes)?);
            let (kind, progress) = if code == FAIL_WITH_REPORT {
                (reader.option(read_kind)?, reader.option(read_bytes)?)
            } else {
                (None, None)
            };
            let after_fail =
                reader.option(read_near)?.map_or(AfterFail::Dead, |due| AfterFail::Retry { due });
            Change::Fail { serial, error, kind, progress, after_fail }
        }
        code @ (RELEASE | RELEASE_WITH_PROGRESS) => {
            let (serial, due) = (read_near(reader)?, reader.option(read_near)?);
            let progress = if code == RELEASE_WITH_PROGRESS { Some(read_bytes(reader)?) } else { None };
            Change::Release { serial, due, progress }
        }
        EXTEND => Change::Extend {
            serial: read_near(reader)?,
            deadline: read_near(reader)?,
            progress: reader.option(read_bytes)?,
        },
        REMOVE => Change::Remove { serial: read_near(reader)? },
        PURGE => Change::Purge { serial: read_near(reader)? },
        REQUEST_CANCEL => Change::RequestCancel { serial: read_near(reader)? },
        REDRIVE => Change::Redrive { serials: read_serials(reader)? },
        CONFIGURE => Change::Configure(Box::new(Config::read(reader, FIELDS_BEFORE_GROUP_RATE)?)),
        CONFIGURE_GROUP_RATE => Change::Configure(Box::new(Config::read(reader, Config::COUNT)?)),
        PAUSE_GROUP => Change::PauseGroup { group: read_name(reader)?, pause: reader.option(read_pause)? },
        SET_GROUP => {
            Change::SetGroup { group: read_name(reader)?, concurrency: reader.option(read_concurrency)? }
        }
        PAUSE => Change::Pause(reader.option(read_pause)?),
        tag @ (SET_SCHEDULE | SET_BOUNDED_SCHEDULE) => {
            let (name, mut spec) = (read_schedule_name(reader)?, read_schedule_spec(reader)?);
            if tag == SET_BOUNDED_SCHEDULE {
                spec.bounds = read_run_bounds(reader)?;
            }
            Change::SetSchedule { name, spec: Box::new(spec), next: reader.option(read_near)? }
        }
        DELETE_SCHEDULE => Change::DeleteSchedule { name: read_schedule_name(reader)? },
        RUN_SCHEDULE => Change::RunSchedule { name: read_schedule_name(reader)?, due: read_near(reader)? },
        tag @ (SET_NEXT_RUN | SET_NEXT_RUN_AND_PROGRESS) => {
            let (name, next) = (read_schedule_name(reader)?, reader.option(read_near)?);
            let mut progress = RunProgress { behind: reader.narrow()?, ..RunProgress::default() };
            if tag == SET_NEXT_RUN_AND_PROGRESS {
                (progress.made, progress.missed_until) = (reader.int()?, read_near(reader)?);
            }
            Change::SetNextRun { name, next, progress }
        }
        HOLD_SCHEDULE => Change::HoldSchedule { name: read_schedule_name(reader)? },
        code @ (UPDATE | UPDATE_ORDER_OR_KEY | UPDATE_PARENTS) => {
            let (serial, mut update) = (read_near(reader)?, read_job_update(reader, code != UPDATE)?);
            if code == UPDATE_PARENTS {
                update.parents = Some(read_dependencies(reader)?);
            }
            Change::Update { serial, update }
        }
        LOG => Change::Log { serial: read_near(reader)?, line: read_bytes(reader)? },
        _ => return Err(Corrupt),
    })
}

fn read_charges(reader: &mut Reader<'_>) -> Result<Vec<GroupCharge>, Corrupt> {
    let count = reader.count(2)?;
    let charge = |_| {
        let nth = usize::try_from(reader.int()?).map_err(|_| Corrupt)?;
        Ok(GroupCharge { nth, effect: Box::new(ratelimit::Effect::decode(reader.bytes()?, None)?) })
    };
    let charges = (0..count).map(charge).collect::<Result<Vec<_>, _>>()?;
    // Without any it has another form.
    if charges.is_empty() { Err(Corrupt) } else { Ok(charges) }
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

/// The token and the deadline of each by how far they are from those before: mostly one, and
/// nothing.
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
    let (mut number, mut deadline) = (0, 0);
    let grant = |_| {
        let serial = read_near(reader)?;
        number = read_step(reader, number, long_token::BOUND)?;
        deadline = read_step(reader, deadline, MAX_STORED_TIME)?;
        let token = reader.token(number)?;
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

fn write_job_update(writer: &mut Writer, given: &JobUpdate, is_long: bool) {
    writer.option(given.priority, |writer, priority| writer.signed(priority.into()));
    writer.option(given.due, Writer::int);
    writer.option(given.retries, |writer, retries| writer.int(retries.into()));
    writer.bool(given.payload.is_some());
    if is_long {
        writer.option(given.lifo, Writer::bool);
        writer.bool(given.no_unique);
    }
}

fn read_job_update(reader: &mut Reader<'_>, is_long: bool) -> Result<JobUpdate, Corrupt> {
    Ok(JobUpdate {
        priority: reader.option(read_priority)?,
        due: reader.option(read_near)?,
        retries: reader.option(Reader::narrow)?,
        payload: reader.bool()?.then(Payload::default),
        lifo: if is_long { reader.option(Reader::bool)? } else { None },
        no_unique: is_long && reader.bool()?,
        parents: None,
    })
}
