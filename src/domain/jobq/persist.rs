//! The binary form: the queue's own fields and its events, then its jobs in the order of pushing, then its
//! schedules in the order of their names.

use std::sync::Arc;

use super::backoff::Backoff;
use super::config::Config;
use super::effect::{Effect, FAR};
use super::event::{Event, Whom};
use super::expire::Life;
use super::flow::Edge;
use super::job::{Extra, Head, Job, Settled, State, Story};
use super::lanes::Rank;
use super::log::Log;
use super::persist_flows::{self, read_flow, write_flow};
use super::queue::{Queue, Serial, Totals};
use super::record::NEXT_EVENT;
use super::timetable::MOST_SCHEDULES;
use super::unique::{Holder, Role, Unique, Until};
use super::wire::{
    boxed, chosen_id, name, near, priority, read_entry, read_pause, read_until, span, write_entry,
    write_pause,
};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use crate::domain::token;
use crate::domain::value::{Lifetime, Value};

/// Blocks end after this many bytes.
pub(super) const BLOCK: usize = 64 * 1024;

/// The first byte of a block.
const HEAD: u8 = 1;
const JOBS: u8 = 2;
/// Keys that have outlived their jobs.
const KEYS: u8 = 3;
/// When which group was served last.
const TURNS: u8 = 5;
/// What has been used of the rate.
const RATE: u8 = 6;
const SCHEDULES: u8 = 7;
/// What has happened lately.
const EVENTS: u8 = 8;
/// How much has happened in each minute.
const SERIES: u8 = 9;

impl Value for Queue {
    type Effect = Effect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: Effect) {
        self.make_happen(effect);
    }

    /// The subjects are jobs, by serial: one that has ended, or has gone before it did, or may sooner
    /// than was known; and the log of events.
    fn stirred(&mut self, each: &mut dyn FnMut(u64)) {
        if self.diary.events.take_stirred() {
            each(NEXT_EVENT);
        }
        self.stirred.drain(..).for_each(each);
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
        let line = &self.line;
        for field in [
            self.clock,
            self.next_serial,
            self.highest_token,
            line.last_turn,
            line.alone_turn,
            self.aging.risen,
            self.aging.since,
        ] {
            writer.int(field);
        }
        let Totals { pushed, acked, failed, retried, stalled, died, expired } = self.totals;
        for total in [pushed, acked, failed, retried, stalled, died, expired] {
            writer.int(total);
        }
        writer.option(self.pause, write_pause);
        writer.option(Some(&self.config).filter(|config| **config != Config::default()), |writer, config| {
            config.write(writer);
        });
        emit(&writer.take());
        self.diary.series.save(SERIES, emit);
        self.diary.events.save(EVENTS, emit);
        self.save_keys(emit);
        self.rate.save(&mut |block| emit(&[&[RATE], block].concat()));
        self.save_turns(emit);
        for (serial, job) in self.jobs.iter() {
            if writer.is_empty() {
                writer.byte(JOBS);
            }
            write_job(&mut writer, serial, job, self);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.take());
        }
        for (name, entry) in self.timetable.iter() {
            if writer.is_empty() {
                writer.byte(SCHEDULES);
            }
            write_entry(&mut writer, name, entry);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
        self.save_flows(emit);
    }

    fn load(&mut self, _encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut reader = Reader::new(block);
        match reader.byte()? {
            // What came before it could contradict it.
            HEAD if self.jobs.is_empty()
                && self.keys.claims.is_empty()
                && self.timetable.len() == 0
                && self.diary.is_empty() =>
            {
                (self.clock, self.next_serial, self.highest_token) =
                    (reader.int()?, reader.int()?, reader.int()?);
                (self.line.last_turn, self.line.alone_turn) = (reader.int()?, reader.int()?);
                (self.aging.risen, self.aging.since) = (reader.int()?, reader.int()?);
                self.totals = Totals {
                    pushed: reader.int()?,
                    acked: reader.int()?,
                    failed: reader.int()?,
                    retried: reader.int()?,
                    stalled: reader.int()?,
                    died: reader.int()?,
                    expired: reader.int()?,
                };
                self.pause = reader.option(read_pause)?;
                if let Some(config) = reader.option(Config::read)? {
                    // Settings that are all as usual are left out.
                    if config == Config::default() {
                        return Err(Corrupt);
                    }
                    self.config = config;
                }
                reader.end()
            }
            EVENTS => self.diary.events.load(&mut reader, self.config.events, self.clock),
            SERIES => self.diary.series.load(&mut reader, self.clock),
            RATE if self.jobs.is_empty() => self.rate.load(Subject::ENCODING, &block[1..]),
            TURNS if self.jobs.is_empty() => self.load_turns(&mut reader),
            persist_flows::FLOWS => self.load_flows(&mut reader),
            KEYS if self.jobs.is_empty() => self.load_keys(&mut reader),
            JOBS if !self.flows.has_work() && self.timetable.len() == 0 => {
                let turns = self.line.last_turn;
                while !reader.is_empty() {
                    let (serial, job, edges) = read_job(&mut reader)?;
                    let next = self.jobs.last().map_or(0, |last| last + 1);
                    let known = (next..self.next_serial).contains(&serial) && job.token <= self.highest_token;
                    if !known || !is_sound(&job) || !self.insert(serial, job) {
                        return Err(Corrupt);
                    }
                    self.flows.edges.extend(edges);
                }
                // A group whose turn was not saved has taken a new one.
                if self.line.last_turn != turns {
                    return Err(Corrupt);
                }
                Ok(())
            }
            SCHEDULES => {
                while !reader.is_empty() {
                    let (name, entry) = read_entry(&mut reader)?;
                    let known = self.timetable.iter().next_back().is_some_and(|(last, _)| last >= &*name);
                    let serial = entry.last.map(|run| run.serial);
                    let sound = serial.is_none_or(|serial| serial < self.next_serial)
                        && (!entry.held || serial.is_some_and(|serial| self.is_under_way(serial)));
                    if known || !sound || self.timetable.len() >= MOST_SCHEDULES {
                        return Err(Corrupt);
                    }
                    self.timetable.put(name, entry);
                }
                Ok(())
            }
            _ => Err(Corrupt),
        }
    }

    fn loaded(&mut self) -> Result<(), Corrupt> {
        let line = &self.line;
        let near = self.clock < FAR && self.next_serial < FAR && self.highest_token < token::BOUND;
        let near = near && line.last_turn < FAR && line.alone_turn <= line.last_turn;
        let near = near && self.aging.risen < FAR && self.aging.since <= self.clock;
        let held = self.keys.claims.values().all(|claim| claim.holder != Holder::Nobody);
        self.rate.loaded()?;
        if near && held && line.is_sound() && self.edges_lead_from_jobs() { Ok(()) } else { Err(Corrupt) }
    }

    fn memory(&self) -> usize {
        // A place in an ordered set for each job, whose nodes are half full or fuller; a set at least for a priority.
        let index = self.jobs.memory() + self.jobs.len() * 35 + self.line.lanes() * 240;
        let others = self.diary.memory()
            + self.keys.memory()
            + self.flows.memory()
            + self.rate.memory()
            + self.timetable.memory();
        size_of::<Self>() + self.weight + index + others
    }

    fn free_effort(&self) -> usize {
        self.jobs.len() + self.timetable.len()
    }

    /// Leases stay with the original: what is being worked on is ready again in the copy.
    fn duplicate(&self) -> Self {
        let mut copy = Queue::default();
        copy.clock = self.clock;
        copy.next_serial = self.next_serial;
        copy.highest_token = self.highest_token;
        copy.totals = self.totals;
        copy.config = self.config.clone();
        copy.pause = self.pause;
        copy.rate = self.rate.duplicate();
        copy.aging = self.aging;
        copy.diary = self.diary.clone();
        for (key, claim) in &self.keys.claims {
            if let Holder::Gone(id) = &claim.holder {
                copy.keys.enter_gone(key, id.clone(), claim.frees);
            }
        }
        copy.flows.edges.clone_from(&self.flows.edges);
        copy.flows.ended.clone_from(&self.flows.ended);
        copy.flows.loose.clone_from(&self.flows.loose);
        let mut cancelled = Vec::new();
        for (serial, job) in self.jobs.iter() {
            let mut job = Job::clone(job);
            if job.state == State::Active {
                let released = Event::Released.plain();
                copy.diary.add(copy.config.events, copy.clock, Whom::job(serial, job.id()), released);
                cancelled.extend(job.is_cancelled().then_some(serial));
                job.state = State::Ready;
                job.forget_worker();
                job.at = job.place;
            }
            // No holder of the original can settle a job of the copy.
            job.token = 0;
            copy.insert(serial, job);
        }
        for serial in cancelled {
            copy.record(serial, Event::Cancelled.plain());
            copy.remove(serial);
        }
        copy.timetable = self.timetable.clone();
        for serial in copy.timetable.waited_for() {
            if !copy.is_under_way(serial) {
                copy.timetable.ended(serial);
            }
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

impl Queue {
    fn save_turns(&self, emit: &mut dyn FnMut(&[u8])) {
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

    fn load_turns(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let (name, turn) = (name(reader)?, reader.int()?);
            if !self.line.promise(&name, turn) {
                return Err(Corrupt);
            }
        }
        Ok(())
    }

    fn save_keys(&self, emit: &mut dyn FnMut(&[u8])) {
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

    fn load_keys(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
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

fn write_job(writer: &mut Writer, serial: Serial, job: &Job, queue: &Queue) {
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

fn read_job(reader: &mut Reader<'_>) -> Result<(Serial, Job, Vec<Edge>), Corrupt> {
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
fn is_sound(job: &Job) -> bool {
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
