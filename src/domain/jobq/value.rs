//! What the server needs of the family: apply, lifetime, saved form.

use crate::domain::codec::ranges::read_token_or_zero;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::effect::Effect;
use crate::domain::jobq::encoding::breakdown::{
    KINDS, NAMES, load_breakdown, read_totals, save_breakdown, write_totals,
};
use crate::domain::jobq::encoding::dependencies;
use crate::domain::jobq::encoding::effect::{read_pause, write_pause};
use crate::domain::jobq::encoding::fields::BLOCK;
use crate::domain::jobq::encoding::group_controls::{GROUPS, RECHECK};
use crate::domain::jobq::encoding::queue::{
    EVENTS, HEAD, JOBS, KEYS, RATE, SCHEDULES, SERIES, TURNS, is_sound, read_job, write_job,
};
use crate::domain::jobq::encoding::schedule::{read_schedule_entry, write_schedule_entry};
use crate::domain::jobq::history::event::{Event, EventSubject};
use crate::domain::jobq::queue::{Queue, growth};
use crate::domain::jobq::ready::ready_queue::GroupRule;
use crate::domain::jobq::state::config::{Config, FIELDS_BEFORE_GROUP_RATE};
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::schedules::MAX_SCHEDULES;
use crate::domain::jobq::state::serial::{MAX_AHEAD, MAX_CLOCK};
use crate::domain::jobq::state::unique_keys::KeyHolder;
use crate::domain::jobq::view::events::NEXT_EVENT;
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use crate::domain::token;
use crate::domain::value::{Lifetime, Value};

impl Value for Queue {
    type Effect = Effect;

    /// 2 added START, END and RUNS of schedules, 3 the KIND of a failure, 4 what MAXWAIT counts
    /// from and the times of the pushes in the log of events, 5 the batches of GROUPED; 6 shortened
    /// the tokens; 7 added what groups have of their own, 8 what STATS counts by NAME and by KIND,
    /// 9 the COST of jobs and what POPs with RATE charged for them.
    const ENCODING: u32 = 9;

    fn adds(queue: Option<&Self>, effect: &Effect) -> bool {
        growth::adds(queue, &effect.change)
    }

    fn apply(&mut self, effect: Effect) {
        self.apply_effect(effect);
    }

    /// The subjects are the serials of jobs that ended, were removed, or may end earlier than
    /// waiters know; and the log of events.
    fn take_changed_subjects(&mut self, each: &mut dyn FnMut(u64)) {
        if self.history.events.take_changed() {
            each(NEXT_EVENT);
        }
        self.changed_jobs.drain(..).for_each(each);
    }

    fn overdue(&self, now: UnixMs) -> Option<Effect> {
        self.overdue_at(now)
    }

    /// A queue lives until it is deleted: it keeps counts and remembers ids.
    fn lifetime(&self) -> Lifetime {
        Lifetime::Endless
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        writer.byte(HEAD);
        let ready = &self.ready;
        for field in [
            self.clock,
            self.next_serial,
            self.highest_token,
            ready.last_turn,
            ready.ungrouped_turn,
            self.aging.risen,
            self.aging.since,
        ] {
            writer.int(field);
        }
        write_totals(&mut writer, &self.totals);
        writer.option(self.pause, write_pause);
        writer.option(Some(&self.config).filter(|config| **config != Config::default()), |writer, config| {
            config.write(writer, Config::COUNT);
        });
        emit(&writer.take());
        self.history.series.save(SERIES, emit);
        self.history.events.save(EVENTS, emit);
        self.save_keys(emit);
        self.rate.save(&mut |block| emit(&[&[RATE], block].concat()));
        self.save_turns(emit);
        self.save_group_controls(emit);
        save_breakdown(&self.breakdowns.names, NAMES, emit);
        save_breakdown(&self.breakdowns.kinds, KINDS, emit);
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
        for (name, entry) in self.schedules.iter() {
            if writer.is_empty() {
                writer.byte(SCHEDULES);
            }
            write_schedule_entry(&mut writer, name, entry);
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
        self.save_dependency_work(emit);
    }

    fn load(&mut self, encoding: u32, block: &[u8]) -> Result<(), Corrupt> {
        let mut reader = Reader::of_block(block, encoding < 6);
        match reader.byte()? {
            // The head must come first: earlier blocks could contradict it.
            HEAD if self.jobs.is_empty()
                && self.keys.held.is_empty()
                && self.schedules.len() == 0
                && self.history.is_empty() =>
            {
                (self.clock, self.next_serial, self.highest_token) =
                    (reader.int()?, reader.int()?, read_token_or_zero(&mut reader)?);
                (self.ready.last_turn, self.ready.ungrouped_turn) = (reader.int()?, reader.int()?);
                (self.aging.risen, self.aging.since) = (reader.int()?, reader.int()?);
                self.totals = read_totals(&mut reader)?;
                self.pause = reader.option(read_pause)?;
                let settings = if encoding >= 7 { Config::COUNT } else { FIELDS_BEFORE_GROUP_RATE };
                if let Some(config) = reader.option(|reader| Config::read(reader, settings))? {
                    // Settings that are all as usual are left out.
                    if config == Config::default() {
                        return Err(Corrupt);
                    }
                    self.config = config;
                }
                reader.end()
            }
            EVENTS => self.history.events.load(&mut reader, self.config.events, self.clock, encoding),
            SERIES => self.history.series.load(&mut reader, self.clock),
            RATE if self.jobs.is_empty() && block.len() > 1 => self.rate.load(Subject::ENCODING, &block[1..]),
            TURNS if self.jobs.is_empty() => self.load_turns(&mut reader),
            GROUPS if self.jobs.is_empty() => self.load_group_controls(&mut reader),
            NAMES if self.jobs.is_empty() && self.breakdowns.names.is_empty() => {
                self.breakdowns.names = load_breakdown(&mut reader)?;
                Ok(())
            }
            KINDS if self.jobs.is_empty() && self.breakdowns.kinds.is_empty() => {
                self.breakdowns.kinds = load_breakdown(&mut reader)?;
                Ok(())
            }
            RECHECK if self.jobs.is_empty() => {
                self.load_recheck(&mut reader)?;
                reader.end()
            }
            dependencies::DEPENDENCY_WORK => self.load_dependency_work(&mut reader),
            KEYS if self.jobs.is_empty() => self.load_keys(&mut reader),
            JOBS if !self.dependency_graph.has_work() && self.schedules.len() == 0 => {
                let turns = self.ready.last_turn;
                while !reader.is_empty() {
                    let (serial, mut job, edges) = read_job(&mut reader, encoding)?;
                    if encoding < 8 {
                        self.breakdowns.assign(&mut job, self.clock);
                    }
                    let next = self.jobs.last().map_or(0, |last| last + 1);
                    let known = (next..self.next_serial).contains(&serial) && job.token <= self.highest_token;
                    let is_sound = is_sound(job.read()) && self.breakdowns.agree_with(job.read());
                    if !known || !is_sound || !self.insert(serial, job) {
                        return Err(Corrupt);
                    }
                    self.dependency_graph.edges.extend(edges);
                }
                // A group whose turn was not saved has taken a new one.
                if self.ready.last_turn != turns {
                    return Err(Corrupt);
                }
                Ok(())
            }
            SCHEDULES => {
                while !reader.is_empty() {
                    let (name, entry) = read_schedule_entry(&mut reader, encoding)?;
                    let known = self.schedules.iter().next_back().is_some_and(|(last, _)| last >= &*name);
                    let serial = entry.last.map(|run| run.serial);
                    let sound = serial.is_none_or(|serial| serial < self.next_serial)
                        && (!entry.held || serial.is_some_and(|serial| self.is_under_way(serial)));
                    if known || !sound || self.schedules.len() >= MAX_SCHEDULES {
                        return Err(Corrupt);
                    }
                    self.schedules.put(name, entry);
                }
                Ok(())
            }
            _ => Err(Corrupt),
        }
    }

    fn loaded(&mut self) -> Result<(), Corrupt> {
        let ready = &self.ready;
        let in_range =
            self.clock < MAX_CLOCK && self.next_serial < MAX_CLOCK && self.highest_token < token::BOUND;
        let in_range = in_range && ready.last_turn < MAX_CLOCK && ready.ungrouped_turn <= ready.last_turn;
        let in_range = in_range && self.breakdowns.names.is_sound() && self.breakdowns.kinds.is_sound();
        let in_range = in_range && self.aging.risen < MAX_CLOCK && self.aging.since <= self.clock;
        let all_loaded = self.keys.held.values().all(|claim| claim.holder != KeyHolder::NotLoaded);
        self.rate.loaded()?;
        if in_range && all_loaded && ready.is_sound() && self.edges_start_at_jobs() {
            Ok(())
        } else {
            Err(Corrupt)
        }
    }

    fn memory(&self) -> usize {
        // A place in an ordered set for each job, whose nodes are half full or fuller; a set at
        // least for a priority.
        let index = self.jobs.memory() + self.jobs.len() * 35 + self.ready.lanes() * 240;
        let others = self.history.memory()
            + self.keys.memory()
            + self.dependency_graph.memory()
            + self.rate.memory()
            + self.group_controls.memory()
            + self.breakdowns.names.memory()
            + self.breakdowns.kinds.memory()
            + self.schedules.memory();
        size_of::<Self>() + self.job_bytes + index + others
    }

    fn free_effort(&self) -> usize {
        self.jobs.len() + self.schedules.len() + self.group_controls.len()
    }

    /// Leases stay with the original. A job that is active there is ready in the copy.
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
        copy.group_controls = self.group_controls.clone();
        for (group, control) in self.group_controls.iter() {
            let rule = GroupRule { width: control.concurrency, is_closed: control.is_closed };
            copy.ready.set_rule(group, rule);
        }
        copy.history = self.history.clone();
        copy.breakdowns.names = self.breakdowns.names.without_jobs();
        copy.breakdowns.kinds = self.breakdowns.kinds.without_jobs();
        for (key, claim) in &self.keys.held {
            if let KeyHolder::Gone(id) = &claim.holder {
                copy.keys.restore_orphan(key, id.clone(), claim.free_at);
            }
        }
        copy.dependency_graph.edges.clone_from(&self.dependency_graph.edges);
        copy.dependency_graph.ended.clone_from(&self.dependency_graph.ended);
        copy.dependency_graph.cancelled_edges.clone_from(&self.dependency_graph.cancelled_edges);
        let mut cancelled = Vec::new();
        for (serial, job) in self.jobs.iter() {
            let mut job = job.to_job();
            if job.state == State::Active {
                let released = Event::Released.plain();
                copy.history.add(
                    copy.config.events,
                    copy.clock,
                    EventSubject::job(serial, job.read()),
                    released,
                );
                cancelled.extend(job.read().is_cancelled().then_some(serial));
                job.state = State::Ready;
                job.forget_run();
                job.clear_worker();
                job.at = job.ready_at;
            }
            // No holder of the original can settle a job of the copy.
            job.token = 0;
            job.forget_run();
            job.set_rate_charge(None);
            copy.insert(serial, job);
        }
        for serial in cancelled {
            copy.log_event(serial, Event::Cancelled.plain());
            copy.remove(serial);
        }
        copy.schedules = self.schedules.clone();
        for serial in copy.schedules.runs_waited_for() {
            if !copy.is_under_way(serial) {
                copy.schedules.release_held_by(serial);
            }
        }
        copy
    }

    fn follows_from_call(&self, effect: &Effect) -> bool {
        self.pushes_in_a_row(&effect.change)
    }

    fn latest_time(&self) -> UnixMs {
        self.clock
    }

    fn has_room(&self) -> bool {
        let counters = [self.next_serial, self.ready.last_turn, self.history.events.last(), self.aging.risen];
        counters.iter().all(|counter| *counter < MAX_AHEAD)
    }

    fn highest_token(&self) -> u64 {
        self.highest_token
    }
}
