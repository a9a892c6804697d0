//! The binary form of an effect.

use crate::domain::calendar::cron::LONGEST_PATTERN;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MOST_AFTER;
use crate::domain::jobq::effect::{Change, Effect, Fate, Given, Grant, Grants};
use crate::domain::jobq::encoding::fields::{
    Bytes, at_most, below, boxed, chosen_id, name, near, priority, read_on_dead, read_until, span,
};
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::job::Payload;
use crate::domain::jobq::state::new_job::{NewFlow, NewJob, NewKey, Turn};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::schedules::{CatchUp, Entry, LONGEST_SCHEDULE, Run, Terms};
use crate::domain::jobq::state::serial::{FAR, FARTHEST, Serial};
use crate::domain::jobq::state::unique_keys::Until;
use crate::domain::value::Effect as _;
use crate::domain::{ratelimit, token, value};

/// Time zones have shorter names.
const LONGEST_ZONE: usize = 64;

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
const CONFIGURE: u8 = 12;
const PAUSE: u8 = 13;
const PLAN: u8 = 21;
const UNPLAN: u8 = 22;
const RUN: u8 = 23;
const NEXT: u8 = 24;
const HOLD: u8 = 25;
const UPDATE: u8 = 14;
const LOG: u8 = 15;
const PURGE: u8 = 16;
const ACK_MANY: u8 = 17;

impl value::Effect for Effect {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_room(room(&self.change));
        writer.int(self.now);
        match &self.change {
            Change::Many(changes) => {
                writer.byte(MANY);
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
        let now = below(FAR, &mut reader)?;
        let change = if reader.clone().byte()? == MANY {
            reader.byte()?;
            let count = reader.count(2)?;
            let changes = (0..count).map(|_| read_one_of_many(&mut reader)).collect::<Result<_, _>>()?;
            Change::Many(changes)
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
fn room(change: &Change) -> usize {
    match change {
        Change::Many(changes) => {
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
        Change::Flag { serial } => {
            writer.byte(FLAG);
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
        Change::Plan { name, terms, next } => {
            writer.byte(PLAN);
            writer.bytes(name);
            write_terms(writer, terms);
            writer.option(*next, Writer::int);
        }
        Change::Unplan { name } => {
            writer.byte(UNPLAN);
            writer.bytes(name);
        }
        Change::Run { name, due } => {
            writer.byte(RUN);
            writer.bytes(name);
            writer.int(*due);
        }
        Change::Next { name, next, behind } => {
            writer.byte(NEXT);
            writer.bytes(name);
            writer.option(*next, Writer::int);
            writer.int((*behind).into());
        }
        Change::Hold { name } => {
            writer.byte(HOLD);
            writer.bytes(name);
        }
        Change::Update { serial, update } => {
            writer.byte(UPDATE);
            writer.int(*serial);
            write_given(writer, update);
        }
        Change::Log { serial, line } => {
            writer.byte(LOG);
            writer.int(*serial);
            writer.bytes(line);
        }
        Change::Many(_) => debug_assert!(false, "a batch holds no batch"),
    }
}

/// A change; a payload is left empty.
fn read_change(reader: &mut Reader<'_>) -> Result<Change, Corrupt> {
    Ok(match reader.byte()? {
        ADVANCE => Change::Advance { steps: reader.narrow()? },
        PUSH => Change::Push { serial: near(reader)?, job: read_new(reader)? },
        POP => {
            let grants = read_grants(reader)?;
            let rate = reader.option(|reader| ratelimit::Effect::decode(reader.bytes()?, None))?;
            Change::Pop { grants, rate: rate.map(Box::new), worker: reader.option(boxed)? }
        }
        ACK => Change::Ack { serial: near(reader)?, result: reader.option(boxed)? },
        ACK_MANY => Change::AckMany { serials: read_serials(reader)? },
        FAIL => {
            let (serial, error) = (near(reader)?, reader.option(boxed)?);
            let fate = reader.option(near)?.map_or(Fate::Dead, |due| Fate::Retry { due });
            Change::Fail { serial, error, fate }
        }
        RELEASE => Change::Release { serial: near(reader)?, due: reader.option(near)? },
        EXTEND => {
            Change::Extend { serial: near(reader)?, deadline: near(reader)?, progress: reader.option(boxed)? }
        }
        REMOVE => Change::Remove { serial: near(reader)? },
        PURGE => Change::Purge { serial: near(reader)? },
        FLAG => Change::Flag { serial: near(reader)? },
        REDRIVE => Change::Redrive { serials: read_serials(reader)? },
        CONFIGURE => Change::Configure(Box::new(Config::read(reader)?)),
        PAUSE => Change::Pause(reader.option(read_pause)?),
        PLAN => Change::Plan {
            name: schedule_name(reader)?,
            terms: Box::new(read_terms(reader)?),
            next: reader.option(near)?,
        },
        UNPLAN => Change::Unplan { name: schedule_name(reader)? },
        RUN => Change::Run { name: schedule_name(reader)?, due: near(reader)? },
        NEXT => Change::Next {
            name: schedule_name(reader)?,
            next: reader.option(near)?,
            behind: reader.narrow()?,
        },
        HOLD => Change::Hold { name: schedule_name(reader)? },
        UPDATE => Change::Update { serial: near(reader)?, update: read_given(reader)? },
        LOG => Change::Log { serial: near(reader)?, line: boxed(reader)? },
        _ => return Err(Corrupt),
    })
}

pub(crate) fn write_pause(writer: &mut Writer, pause: Pause) {
    writer.option(pause.until, Writer::int);
    writer.bool(pause.pushes);
}

pub(crate) fn read_pause(reader: &mut Reader<'_>) -> Result<Pause, Corrupt> {
    Ok(Pause { until: reader.option(near)?, pushes: reader.bool()? })
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
    (0..count).map(|_| near(reader)).collect()
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
        let serial = near(reader)?;
        token = read_step(reader, token, token::BOUND)?;
        deadline = read_step(reader, deadline, FARTHEST)?;
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
    writer.option(job.flow.as_ref(), write_flow);
}

fn read_new(reader: &mut Reader<'_>) -> Result<NewJob, Corrupt> {
    Ok(NewJob {
        payload: Payload::default(),
        due: near(reader)?,
        id: reader.option(chosen_id)?,
        name: reader.option(boxed)?,
        meta: reader.option(boxed)?,
        retries: reader.narrow()?,
        backoff: reader.option(|reader| Backoff::read(reader).map(Box::new))?,
        lease: span(reader)?,
        priority: priority(reader)?,
        lifo: reader.bool()?,
        group: reader.option(name)?,
        expire: span(reader)?,
        keep: reader.option(span)?,
        unique: reader.option(read_key)?,
        flow: reader.option(read_flow)?,
    })
}

/// What a schedule says, its payload included.
fn write_terms(writer: &mut Writer, terms: &Terms) {
    writer.bytes(&terms.pattern);
    writer.bytes(&terms.zone);
    writer.byte(terms.catch_up as u8);
    writer.bool(terms.overlap);
    write_new(writer, &terms.job);
    writer.bytes(&terms.job.payload);
}

fn read_terms(reader: &mut Reader<'_>) -> Result<Terms, Corrupt> {
    let mut terms = Terms {
        pattern: at_most(LONGEST_PATTERN, reader)?,
        zone: at_most(LONGEST_ZONE, reader)?,
        catch_up: *CatchUp::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?,
        overlap: reader.bool()?,
        job: read_new(reader)?,
    };
    terms.job.payload = reader.bytes()?.into();
    // Every run has an id and a time of its own.
    let NewJob { id, due, unique, flow, .. } = &terms.job;
    let plain = id.is_none() && *due == 0 && unique.is_none() && flow.is_none();
    if plain { Ok(terms) } else { Err(Corrupt) }
}

/// A schedule as it is saved.
pub(crate) fn write_entry(writer: &mut Writer, name: &[u8], entry: &Entry) {
    writer.bytes(name);
    write_terms(writer, &entry.terms);
    writer.option(entry.next, Writer::int);
    writer.option(entry.last, |writer, run| {
        writer.int(run.due);
        writer.int(run.serial);
    });
    writer.int(entry.behind.into());
    writer.bool(entry.held);
}

pub(crate) fn read_entry(reader: &mut Reader<'_>) -> Result<(Bytes, Entry), Corrupt> {
    let name = schedule_name(reader)?;
    let entry = Entry {
        terms: read_terms(reader)?,
        next: reader.option(near)?,
        last: reader.option(|reader| Ok(Run { due: near(reader)?, serial: near(reader)? }))?,
        behind: reader.narrow()?,
        held: reader.bool()?,
    };
    Ok((name, entry))
}

fn schedule_name(reader: &mut Reader<'_>) -> Result<Bytes, Corrupt> {
    chosen_id(reader).and_then(|name| if name.len() <= LONGEST_SCHEDULE { Ok(name) } else { Err(Corrupt) })
}

fn write_flow(writer: &mut Writer, flow: &NewFlow) {
    writer.byte(flow.on_dead as u8);
    writer.option(flow.doom.as_deref(), Writer::bytes);
    writer.int(flow.after.len() as u64);
    flow.after.iter().for_each(|&anchor| writer.int(anchor));
}

fn read_flow(reader: &mut Reader<'_>) -> Result<NewFlow, Corrupt> {
    let (on_dead, doom) = (read_on_dead(reader)?, reader.option(boxed)?);
    let count = reader.count(1)?;
    if count > MOST_AFTER {
        return Err(Corrupt);
    }
    Ok(NewFlow { after: (0..count).map(|_| near(reader)).collect::<Result<_, _>>()?, on_dead, doom })
}

fn write_key(writer: &mut Writer, unique: &NewKey) {
    writer.bytes(&unique.key);
    writer.byte(unique.until as u8);
    writer.int(unique.window);
    match unique.turn {
        Turn::First => writer.byte(0),
        Turn::Next => writer.byte(1),
        Turn::Never => writer.byte(3),
        Turn::InPlaceOf(serial) => {
            writer.byte(2);
            writer.int(serial);
        }
    }
}

fn read_key(reader: &mut Reader<'_>) -> Result<NewKey, Corrupt> {
    let (key, until, window) = (boxed(reader)?, read_until(reader)?, span(reader)?);
    let turn = match reader.byte()? {
        0 => Turn::First,
        1 => Turn::Next,
        3 => Turn::Never,
        2 => Turn::InPlaceOf(near(reader)?),
        _ => return Err(Corrupt),
    };
    if until == Until::Time && window == 0 { Err(Corrupt) } else { Ok(NewKey { key, until, window, turn }) }
}

fn write_given(writer: &mut Writer, given: &Given) {
    writer.option(given.priority, |writer, priority| writer.signed(priority.into()));
    writer.option(given.due, Writer::int);
    writer.option(given.retries, |writer, retries| writer.int(retries.into()));
    writer.bool(given.payload.is_some());
}

fn read_given(reader: &mut Reader<'_>) -> Result<Given, Corrupt> {
    Ok(Given {
        priority: reader.option(priority)?,
        due: reader.option(near)?,
        retries: reader.option(Reader::narrow)?,
        payload: reader.bool()?.then(Payload::default),
    })
}
