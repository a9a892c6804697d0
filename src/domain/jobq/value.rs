//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::effect::Effect;
use crate::domain::jobq::encoding::dependencies;
use crate::domain::jobq::encoding::effect::{read_entry, read_pause, write_entry, write_pause};
use crate::domain::jobq::encoding::fields::BLOCK;
use crate::domain::jobq::encoding::queue::{
    EVENTS, HEAD, JOBS, KEYS, RATE, SCHEDULES, SERIES, TURNS, is_sound, read_job, write_job,
};
use crate::domain::jobq::history::event::{Event, Whom};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::schedules::MOST_SCHEDULES;
use crate::domain::jobq::state::serial::FAR;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::state::unique_keys::Holder;
use crate::domain::jobq::view::events::NEXT_EVENT;
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use crate::domain::token;
use crate::domain::value::{Lifetime, Value};

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
            dependencies::FLOWS => self.load_flows(&mut reader),
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
