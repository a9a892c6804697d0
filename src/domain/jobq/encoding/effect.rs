//! The binary form of an effect.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::effect::{AfterFail, Change, Effect, JobUpdate};
use crate::domain::jobq::encoding::fields::{
    read_below, read_bytes, read_concurrency, read_kind, read_name, read_near, read_priority,
};
use crate::domain::jobq::encoding::new_job::{read_dependencies, read_new, write_dependencies, write_new};
use crate::domain::jobq::encoding::pop::{
    POP, POP_BATCH, POP_WITH_CHARGES, POP_WITH_LONG_TOKENS, POP_WITH_RATE, read_pop, write_pop,
};
use crate::domain::jobq::encoding::schedule::{
    read_run_bounds, read_schedule_name, read_schedule_spec, write_run_bounds, write_schedule_spec,
};
use crate::domain::jobq::encoding::shared_rate::read_cost;
use crate::domain::jobq::state::config::{Config, FIELDS_BEFORE_GROUP_RATE};
use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::schedules::{RunBounds, RunProgress};
use crate::domain::jobq::state::serial::{MAX_CLOCK, Serial};
use crate::domain::jobq::state::shared_rate::DEFAULT_COST;
use crate::domain::value;

const ADVANCE: u8 = 1;
const PUSH: u8 = 2;
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
/// With group_rate.
const CONFIGURE_GROUP_RATE: u8 = 30;
const PAUSE_GROUP: u8 = 31;
const SET_GROUP: u8 = 32;
/// With a COST.
const PUSH_WITH_COST: u8 = 41;
/// [`SET_BOUNDED_SCHEDULE`] with a COST.
const SET_SCHEDULE_WITH_COST: u8 = 42;
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

    fn first_token(&self) -> u64 {
        match &self.change {
            Change::Pop { grants, .. } => grants.first().map_or(0, |grant| grant.token),
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
            let has_cost = job.cost != DEFAULT_COST;
            writer.byte(if has_cost { PUSH_WITH_COST } else { PUSH });
            writer.int(*serial);
            write_new(writer, job);
            if has_cost {
                writer.int(job.cost);
            }
        }
        Change::Pop { .. } => write_pop(writer, change),
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
            let has_cost = spec.job.cost != DEFAULT_COST;
            let is_bounded = has_cost || spec.bounds != RunBounds::default();
            writer.byte(match (has_cost, is_bounded) {
                (true, _) => SET_SCHEDULE_WITH_COST,
                (false, true) => SET_BOUNDED_SCHEDULE,
                (false, false) => SET_SCHEDULE,
            });
            writer.bytes(name);
            write_schedule_spec(writer, spec);
            if is_bounded {
                write_run_bounds(writer, spec.bounds);
            }
            if has_cost {
                writer.int(spec.job.cost);
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
        PUSH_WITH_COST => {
            let (serial, job) = (read_near(reader)?, read_new(reader)?);
            Change::Push { serial, job: NewJob { cost: read_cost(reader)?, ..job } }
        }
        code @ (POP | POP_BATCH | POP_WITH_CHARGES | POP_WITH_RATE | POP_WITH_LONG_TOKENS) => {
            read_pop(reader, code)?
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
        tag @ (SET_SCHEDULE | SET_BOUNDED_SCHEDULE | SET_SCHEDULE_WITH_COST) => {
            let (name, mut spec) = (read_schedule_name(reader)?, read_schedule_spec(reader)?);
            if tag != SET_SCHEDULE {
                spec.bounds = read_run_bounds(reader)?;
            }
            if tag == SET_SCHEDULE_WITH_COST {
                spec.job.cost = read_cost(reader)?;
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
