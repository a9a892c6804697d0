//! An effect made to happen: total and deterministic.

use crate::domain::jobq::effect::{Change, Effect, Fate};
use crate::domain::jobq::history::event::{Event, Whom};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::schedule_runs::run_id;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::job::{Extra, Head, Job, Settled, State};
use crate::domain::jobq::state::lifetime::Life;
use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::schedules::{Entry, MOST_SCHEDULES, Run, Terms};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::count;
use crate::domain::jobq::state::unique_keys::Role;
use crate::domain::time::UnixMs;
use crate::domain::value::Value;
use std::sync::Arc;

impl Queue {
    pub(crate) fn make_happen(&mut self, effect: Effect) {
        self.clock = self.clamp(effect.now);
        let now = self.clock;
        match effect.change {
            Change::Many(changes) => changes.into_iter().for_each(|change| self.make(change, now)),
            change => self.make(change, now),
        }
        self.follow();
    }

    fn make(&mut self, change: Change, now: UnixMs) {
        match change {
            Change::Advance { steps } => self.advance(now, steps),
            Change::Push { serial, job } => self.push(serial, job, now),
            Change::Pop { grants, rate, worker } => {
                if let Some(rate) = rate {
                    self.rate.apply(*rate);
                }
                for grant in grants {
                    self.highest_token = self.highest_token.max(grant.token);
                    let popped = Event::Popped.saying(worker.as_deref());
                    self.change_and_record(grant.serial, Some(popped), |job| {
                        job.state = State::Active;
                        job.settled = Settled::Open;
                        job.at = grant.deadline;
                        job.token = grant.token;
                        if worker.is_some() {
                            job.story_mut().worker.clone_from(&worker);
                        }
                    });
                }
            }
            Change::Ack { serial, result } => self.ack(serial, result, now),
            Change::AckMany { serials } => {
                serials.into_iter().for_each(|serial| self.ack(serial, None, now));
            }
            Change::Fail { serial, error, fate } => self.fail(serial, error, fate, now),
            Change::Release { serial, due } => {
                self.record(serial, Event::Released.plain());
                let delayed = due.map(|due| Event::Delayed.at(due));
                self.change_and_record(serial, delayed, |job| {
                    job.settled = Settled::Released;
                    match due {
                        Some(due) => {
                            job.state = State::Delayed;
                            job.at = due;
                        }
                        None => {
                            job.state = State::Ready;
                            job.at = job.place;
                        }
                    }
                });
            }
            Change::Extend { serial, deadline, progress } => {
                if progress.is_some() {
                    self.record(serial, Event::Progress.saying(progress.as_deref()));
                }
                self.change(serial, |job| {
                    if job.state == State::Active {
                        job.at = deadline;
                    }
                    if progress.is_some() {
                        job.story_mut().progress = progress;
                    }
                });
            }
            Change::Remove { serial } => {
                self.record(serial, Event::Cancelled.plain());
                self.remove(serial);
            }
            Change::Purge { serial } => {
                self.record(serial, Event::Purged.plain());
                self.remove(serial);
            }
            Change::Flag { serial } => {
                let flagged = Event::CancelRequested.plain();
                self.change_and_record(serial, Some(flagged), |job| job.story_mut().cancelled = true);
            }
            Change::Redrive { serials } => {
                let begun: Vec<_> =
                    serials.into_iter().filter(|serial| self.begin_again(*serial, now)).collect();
                // When all of them are alive again, whichever of them came first.
                begun.into_iter().for_each(|serial| self.wait_again(serial));
            }
            Change::Configure(config) => {
                if config.aging != self.config.aging {
                    self.aging.change(self.config.aging, now);
                }
                self.config = *config;
                self.diary.events.keep(self.config.events);
                self.record_of_queue(Event::Configured.plain());
            }
            Change::Pause(pause) => {
                self.pause = pause;
                self.record_of_queue(match pause {
                    None => Event::Resumed.plain(),
                    Some(pause) => pause.until.map_or(Event::Paused.plain(), |until| Event::Paused.at(until)),
                });
            }
            Change::Plan { name, terms, next } => self.plan(name, *terms, next),
            Change::Unplan { name } => {
                self.record_of_queue(Event::Unscheduled.saying(Some(&name)));
                self.timetable.remove(&name);
            }
            Change::Run { name, due } => self.run(&name, due, now),
            Change::Next { name, next, behind } => self.timetable.change(&name, |entry| {
                (entry.next, entry.behind, entry.held) = (next, behind, false);
            }),
            Change::Hold { name } => {
                let last = self.timetable.get(&name).and_then(|entry| entry.last);
                if last.is_some_and(|run| self.is_under_way(run.serial)) {
                    self.timetable.change(&name, |entry| entry.held = true);
                }
            }
            Change::Update { serial, update } => {
                let shift = update.due.map_or(0, |due| self.shift(due));
                self.record(serial, Event::Updated.plain());
                let before = self.job(serial).map(|job| (job.state, job.at));
                self.change(serial, |job| job.update(update, shift, now));
                self.record_if_moved(serial, before);
            }
            Change::Log { serial, line } => self.change(serial, |job| job.story_mut().log_mut().add(line)),
            // A batch holds no batch.
            Change::Many(_) => {}
        }
    }

    fn push(&mut self, serial: Serial, new: NewJob, now: UnixMs) {
        if self.has(serial, new.id.as_deref()) || self.flows.speaks_of(serial) {
            return;
        }
        let doom = new.flow.as_ref().and_then(|flow| flow.doom.clone());
        let (unique, anchor) = new.unique.and_then(|key| self.come_to_key(key)).unzip();
        let flow = new.flow.and_then(|flow| self.new_flow(serial, flow));
        let mut life = Life {
            expire: new.expire,
            keep: new.keep,
            unique,
            flow,
            anchor: anchor.flatten(),
            ..Life::default()
        };
        let next = life.unique.as_ref().is_some_and(|unique| unique.role == Role::Next);
        let blocked = next || life.flow.as_ref().is_some_and(|flow| flow.open > 0);
        if !blocked {
            life.begin(new.due);
        }
        let life = (life != Life::default()).then(|| Box::new(life));
        let group = new.group.map(Arc::from);
        let extra = Extra {
            id: new.id,
            name: new.name,
            meta: new.meta,
            group,
            life,
            backoff: new.backoff,
            lease: new.lease,
            lifo: new.lifo,
            ..Extra::default()
        };
        let head = Head {
            state: if blocked { State::Blocked } else { State::Delayed },
            settled: Settled::Open,
            at: if blocked { now } else { new.due },
            place: new.due,
            created: now,
            token: 0,
            retries: new.retries,
            priority: new.priority,
            extra: (extra != Extra::default()).then(|| Box::new(extra)),
        };
        let mut job = Job::new(head, new.payload);
        if new.due <= now && !blocked {
            job.becomes_ready(new.due, self.shift(new.due));
        }
        let (state, has_own_id) = (job.state, job.id().is_some());
        if self.insert(serial, job) {
            let pushed = match state {
                State::Delayed => Event::Pushed.at(new.due),
                _ => Event::Pushed.plain(),
            };
            if has_own_id {
                self.record(serial, pushed);
            } else {
                self.diary.add(self.config.events, now, Whom::Serial(serial), pushed);
            }
            if state == State::Blocked {
                self.record(serial, Event::Blocked.plain());
            }
            self.next_serial = self.next_serial.max(serial.saturating_add(1));
            count(&mut self.totals.pushed);
            if let Some(error) = doom {
                self.die(serial, error);
            }
        }
    }

    fn ack(&mut self, serial: Serial, result: Option<Box<[u8]>>, now: UnixMs) {
        count(&mut self.totals.acked);
        self.change_and_record(serial, Some(Event::Done.plain()), |job| {
            job.state = State::Done;
            job.settled = Settled::Acked;
            job.at = now;
            if result.is_some() {
                job.story_mut().result = result;
            }
        });
    }

    fn plan(&mut self, name: Box<[u8]>, terms: Terms, next: Option<UnixMs>) {
        let known = self.timetable.get(&name);
        if known.is_none() && self.timetable.len() >= MOST_SCHEDULES {
            return;
        }
        let last = known.and_then(|known| known.last);
        let behind = known.filter(|known| known.terms.are_due_as(&terms)).map_or(0, |known| known.behind);
        self.record_of_queue(Event::Scheduled.saying(Some(&name)));
        self.timetable.put(name, Entry { terms, next, last, behind, held: false });
    }

    /// Where the id is known, that job is the run.
    fn run(&mut self, name: &[u8], due: UnixMs, now: UnixMs) {
        let Some(entry) = self.timetable.get(name) else { return };
        let id = run_id(name, due);
        let serial = match self.find(&id) {
            Some((serial, _)) => serial,
            None => {
                let job = NewJob { id: Some(id), due, ..entry.terms.job.clone() };
                let serial = self.next_serial;
                self.push(serial, job, now);
                serial
            }
        };
        self.timetable.change(name, |entry| (entry.last, entry.held) = (Some(Run { due, serial }), false));
    }

    /// Whether a job has not ended, as far as the queue has advanced.
    pub(crate) fn is_under_way(&self, serial: Serial) -> bool {
        self.job(serial).is_some_and(|job| !job.state.is_end())
    }

    /// A job that has not failed itself is dead.
    pub(crate) fn die(&mut self, serial: Serial, error: Box<[u8]>) {
        let now = self.clock;
        count(&mut self.totals.died);
        self.record(serial, Event::Dead.saying(Some(&error)));
        self.change(serial, |job| {
            (job.state, job.at) = (State::Dead, now);
            job.story_mut().error = Some(error);
        });
    }

    /// Whether a dead job may and does begin again.
    fn begin_again(&mut self, serial: Serial, now: UnixMs) -> bool {
        let again = |job: &&Job| job.state == State::Dead && self.may_take_again(job, now);
        let begins = self.job(serial).filter(again).is_some();
        if begins {
            let shift = self.shift(now);
            self.change_and_record(serial, Some(Event::Redriven.plain()), |job| job.begin_again(now, shift));
            self.take_again(serial);
        }
        begins
    }

    fn fail(&mut self, serial: Serial, error: Option<Box<[u8]>>, fate: Fate, now: UnixMs) {
        count(&mut self.totals.failed);
        match fate {
            Fate::Retry { .. } => count(&mut self.totals.retried),
            Fate::Dead => count(&mut self.totals.died),
        }
        self.record(serial, Event::Failed.saying(error.as_deref()));
        self.record(
            serial,
            match fate {
                Fate::Retry { due } => Event::Delayed.at(due),
                Fate::Dead => Event::Dead.saying(error.as_deref()),
            },
        );
        self.change(serial, |job| {
            job.settled = Settled::Failed;
            let story = job.story_mut();
            (story.failures, story.error) = (story.failures.saturating_add(1), error);
            match fate {
                Fate::Retry { due } => {
                    job.state = State::Delayed;
                    job.at = due;
                    job.place = due;
                }
                Fate::Dead => {
                    job.state = State::Dead;
                    job.at = now;
                }
            }
        });
    }
}

impl Job {
    /// Ready as if it had just been pushed.
    fn begin_again(&mut self, now: UnixMs, shift: Rank) {
        if self.state == State::Dead {
            self.settled = Settled::Open;
            self.becomes_ready(now, shift);
            // Whoever held it has nothing to say any more.
            self.token = 0;
            if self.story().is_some() {
                (self.story_mut().failures, self.story_mut().stalls) = (0, 0);
            }
            if let Some(life) = self.life_mut() {
                life.begin(now);
            }
        }
    }
}
