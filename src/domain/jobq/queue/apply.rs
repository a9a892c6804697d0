//! Applies an effect to the queue. Never fails, and gives the same state on every server.

use crate::domain::jobq::effect::{AfterFail, Change, Effect, Grant, GroupCharge};
use crate::domain::jobq::history::event::{Event, EventSubject};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::schedule_runs::run_id;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::job::{BorrowedJob, Job, JobOptions};
use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome, State};
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::new_job::{Bytes, NewJob};
use crate::domain::jobq::state::schedules::{MAX_SCHEDULES, Run, RunProgress, ScheduleEntry, ScheduleSpec};
use crate::domain::jobq::state::serial::{MAX_AHEAD, MAX_CLOCK, Serial};
use crate::domain::jobq::state::shared_rate::{DEFAULT_COST, JobRate};
use crate::domain::jobq::state::unique_keys::KeyRole;
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use crate::domain::value::Value;
use std::sync::Arc;

impl Queue {
    pub(crate) fn apply_effect(&mut self, effect: Effect) {
        self.clock = self.clamp(effect.now);
        let now = self.clock;
        match effect.change {
            Change::Batch(changes) => changes.into_iter().for_each(|change| self.apply_change(change, now)),
            change => self.apply_change(change, now),
        }
        self.notify_dependents();
    }

    fn apply_change(&mut self, change: Change, now: UnixMs) {
        match change {
            Change::Advance { steps } => self.advance(now, steps),
            Change::Push { serial, job } => self.push(serial, job, now),
            Change::Pop { grants, rate, worker, batch, group_rates, charge } => {
                let charges = self.charged_groups(&grants, group_rates);
                if let Some(rate) = rate {
                    self.rate.apply(*rate);
                }
                for grant in grants {
                    self.highest_token = self.highest_token.max(grant.token);
                    self.count_wait(grant.serial);
                    let popped = Event::Popped.with_text(worker.as_deref());
                    self.change_and_log(grant.serial, Some(popped), |job| {
                        job.state = State::Active;
                        job.last_outcome = LastOutcome::Open;
                        job.at = grant.deadline;
                        job.token = grant.token;
                        if let Some(batch) = batch
                            && job.read().group().is_some()
                        {
                            job.options_mut().batch = batch;
                        }
                        job.set_rate_charge(charge.clone());
                        if worker.is_some() {
                            job.history_mut().worker.clone_from(&worker);
                        }
                        job.start_run(worker.is_some(), now);
                    });
                }
                self.charge_groups(charges, now);
            }
            Change::Ack { serial, result } => self.ack(serial, result, now),
            Change::AckMany { serials } => {
                serials.into_iter().for_each(|serial| self.ack(serial, None, now));
            }
            Change::Fail { serial, error, kind, progress, after_fail } => {
                self.note_progress(serial, progress);
                self.fail(serial, (error, kind), after_fail, now);
            }
            Change::Release { serial, due, progress } => {
                self.note_progress(serial, progress);
                self.log_event(serial, Event::Released.plain());
                let delayed = due.map(|due| Event::Delayed.at_time(due));
                self.change_and_log(serial, delayed, |job| {
                    job.last_outcome = LastOutcome::Released;
                    job.forget_run();
                    match due {
                        Some(due) => {
                            job.state = State::Delayed;
                            job.at = due;
                        }
                        None => {
                            job.state = State::Ready;
                            job.at = job.ready_at;
                        }
                    }
                });
            }
            Change::Extend { serial, deadline, progress } => {
                self.note_progress(serial, progress);
                self.change(serial, |job| {
                    if job.state == State::Active {
                        job.at = deadline;
                    }
                });
            }
            Change::Remove { serial } => {
                self.log_event(serial, Event::Cancelled.plain());
                self.remove(serial);
            }
            Change::Purge { serial } => {
                self.log_event(serial, Event::Purged.plain());
                self.remove(serial);
            }
            Change::RequestCancel { serial } => {
                let flagged = Event::CancelRequested.plain();
                self.change_and_log(serial, Some(flagged), |job| job.history_mut().cancelled = true);
            }
            Change::Redrive { serials } => {
                let start = |serial: Serial| {
                    let dependencies = self.job(serial).and_then(BorrowedJob::dependencies).cloned();
                    self.redrive(serial, now).then_some((serial, dependencies?))
                };
                let started: Vec<_> = serials.into_iter().filter_map(start).collect();
                // Only when all of them are alive again: their order does not matter then.
                for (serial, dependencies) in started {
                    self.wait_for_dependencies(serial, &dependencies);
                }
            }
            Change::Configure(config) => {
                if config.aging != self.config.aging {
                    self.aging.change(self.config.aging, now);
                }
                let has_new_group_rate = config.group_rate != self.config.group_rate;
                self.config = *config;
                if self.config.rate.is_none() {
                    // A rate that is set again begins anew: so a used-up one can be cleared.
                    self.rate = Subject::default();
                }
                if has_new_group_rate && !self.group_controls.is_empty() {
                    self.recheck_groups(now);
                }
                self.history.events.keep(self.config.events);
                self.log_queue_event(Event::Configured.plain());
            }
            Change::Pause(pause) => {
                self.pause = pause;
                self.log_queue_event(match pause {
                    None => Event::Resumed.plain(),
                    Some(pause) => {
                        pause.until.map_or(Event::Paused.plain(), |until| Event::Paused.at_time(until))
                    }
                });
            }
            Change::PauseGroup { group, pause } => {
                let paused = if pause.is_some() { Event::GroupPaused } else { Event::GroupResumed };
                self.log_queue_event(paused.with_text(Some(&group)));
                self.change_group(&Arc::from(group), now, |control| control.pause = pause);
            }
            Change::SetGroup { group, concurrency } => {
                self.log_queue_event(Event::GroupConfigured.with_text(Some(&group)));
                self.change_group(&Arc::from(group), now, |control| control.concurrency = concurrency);
            }
            Change::SetSchedule { name, spec, next } => self.set_schedule(name, *spec, next, now),
            Change::DeleteSchedule { name } => {
                self.log_queue_event(Event::Unscheduled.with_text(Some(&name)));
                self.schedules.remove(&name);
            }
            Change::RunSchedule { name, due } => self.run_schedule(&name, due, now),
            Change::SetNextRun { name, next, progress } => self.schedules.change(&name, |entry| {
                (entry.next, entry.progress, entry.held) = (next, progress, false);
            }),
            Change::HoldSchedule { name } => {
                let last = self.schedules.get(&name).and_then(|entry| entry.last);
                if last.is_some_and(|run| self.is_under_way(run.serial)) {
                    self.schedules.change(&name, |entry| entry.held = true);
                }
            }
            Change::Update { serial, mut update } => {
                let parents = update.parents.take();
                let shift = update.due.map_or(0, |due| self.shift(due));
                self.log_event(serial, Event::Updated.plain());
                if update.no_unique {
                    self.give_up_key(serial);
                }
                let before = self.job(serial).map(|job| (job.state, job.at));
                self.change(serial, |job| job.update(update, shift, now));
                self.log_if_moved(serial, before);
                if let Some(parents) = parents {
                    self.add_dependencies(serial, parents);
                }
            }
            Change::Log { serial, line } => self.change(serial, |job| job.history_mut().log_mut().add(line)),
            // A batch holds no batch.
            Change::Batch(_) => {}
        }
    }

    /// The groups that a POP charges, by name.
    fn charged_groups(&self, grants: &[Grant], charges: Vec<GroupCharge>) -> Vec<(Arc<[u8]>, GroupCharge)> {
        let group = |charge: &GroupCharge| self.job(grants.get(charge.nth)?.serial)?.group().cloned();
        charges.into_iter().filter_map(|charge| Some((group(&charge)?, charge))).collect()
    }

    fn push(&mut self, serial: Serial, new: NewJob, now: UnixMs) {
        // No primary sends this: the queue could neither go on nor be loaded.
        if serial >= (self.next_serial + MAX_AHEAD).min(MAX_CLOCK - 1) {
            return;
        }
        if self.has(serial, new.id.as_deref()) || self.dependency_graph.mentions(serial) {
            return;
        }
        let dependency_error =
            new.dependencies.as_ref().and_then(|dependencies| dependencies.dependency_error.clone());
        let (unique, root) = new.unique.and_then(|key| self.claim_key(serial, key)).unzip();
        let dependencies =
            new.dependencies.and_then(|dependencies| self.new_dependencies(serial, dependencies));
        let mut lifetime = JobLifetime {
            expire: new.expire,
            keep: new.keep,
            unique,
            dependencies,
            root: root.flatten(),
            ..JobLifetime::default()
        };
        let next = lifetime.unique.as_ref().is_some_and(|unique| unique.role == KeyRole::Next);
        let blocked =
            next || lifetime.dependencies.as_ref().is_some_and(|dependencies| dependencies.open > 0);
        if !blocked {
            lifetime.start_expiry(new.due);
        }
        let lifetime = (lifetime != JobLifetime::default()).then(|| Box::new(lifetime));
        let group = new.group.map(Arc::from);
        let name_row = new.name.as_ref().map_or(0, |name| self.breakdowns.names.number_for(name, now));
        let options = JobOptions {
            id: new.id,
            name: new.name,
            name_row,
            meta: new.meta,
            group,
            lifetime,
            backoff: new.backoff,
            lease: new.lease,
            lifo: new.lifo,
            rate: (new.cost != DEFAULT_COST).then(|| Box::new(JobRate { cost: new.cost, charge: None })),
            ..JobOptions::default()
        };
        let head = JobHeader {
            state: if blocked { State::Blocked } else { State::Delayed },
            last_outcome: LastOutcome::Open,
            at: if blocked { now } else { new.due },
            ready_at: new.due,
            created: now,
            token: 0,
            retries: new.retries,
            priority: new.priority,
        };
        let mut job = Job::new(head, new.payload);
        job.options = (options != JobOptions::default()).then(|| Box::new(options));
        if new.due <= now && !blocked {
            job.make_ready(new.due, self.shift(new.due));
        }
        let (state, has_own_id) = (job.state, job.read().id().is_some());
        if self.insert(serial, job) {
            let pushed = match state {
                State::Delayed => Event::Pushed.at_time(new.due),
                _ => Event::Pushed.plain(),
            };
            if has_own_id {
                self.log_event(serial, pushed);
            } else {
                self.history.add(self.config.events, now, EventSubject::Serial(serial, now), pushed);
            }
            if state == State::Blocked {
                self.log_event(serial, Event::Blocked.plain());
            }
            self.next_serial = self.next_serial.max(serial.saturating_add(1));
            self.count_total(serial, |totals| &mut totals.pushed);
            if let Some(error) = dependency_error {
                self.mark_dead(serial, error);
            }
        }
    }

    /// Keeps what a worker reports of its progress, if it reports anything.
    fn note_progress(&mut self, serial: Serial, progress: Option<Box<[u8]>>) {
        if progress.is_some() {
            let event = Event::Progress.with_text(progress.as_deref());
            self.log_event(serial, event);
            self.change(serial, |job| job.history_mut().progress = progress);
        }
    }

    fn ack(&mut self, serial: Serial, result: Option<Box<[u8]>>, now: UnixMs) {
        self.count_total(serial, |totals| &mut totals.acked);
        self.count_run(serial);
        self.change_and_log(serial, Some(Event::Done.plain()), |job| {
            job.state = State::Done;
            job.last_outcome = LastOutcome::Acked;
            job.at = now;
            job.set_rate_charge(None);
            if result.is_some() {
                job.history_mut().result = result;
            }
        });
    }

    fn set_schedule(&mut self, name: Box<[u8]>, spec: ScheduleSpec, next: Option<UnixMs>, now: UnixMs) {
        let known = self.schedules.get(&name);
        if known.is_none() && self.schedules.len() >= MAX_SCHEDULES {
            return;
        }
        let last = known.and_then(|known| known.last);
        let (set_at, progress) =
            known.map_or((now, RunProgress::default()), |known| known.kept_by(&spec, now));
        self.log_queue_event(Event::Scheduled.with_text(Some(&name)));
        self.schedules.put(name, ScheduleEntry { spec, next, last, set_at, progress, held: false });
    }

    /// Where the id is known, that job is the run.
    fn run_schedule(&mut self, name: &[u8], due: UnixMs, now: UnixMs) {
        let Some(entry) = self.schedules.get(name) else { return };
        let id = run_id(name, due);
        let serial = match self.find(&id) {
            Some((serial, _)) => serial,
            None => {
                let job = NewJob { id: Some(id), due, ..entry.spec.job.clone() };
                let serial = self.next_serial;
                self.push(serial, job, now);
                serial
            }
        };
        self.schedules.change(name, |entry| (entry.last, entry.held) = (Some(Run { due, serial }), false));
    }

    /// Whether a job has not ended, as far as the queue has advanced.
    pub(crate) fn is_under_way(&self, serial: Serial) -> bool {
        self.job(serial).is_some_and(|job| !job.state.is_end())
    }

    /// Marks a job dead that has not failed itself.
    pub(crate) fn mark_dead(&mut self, serial: Serial, error: Box<[u8]>) {
        let now = self.clock;
        self.count_total(serial, |totals| &mut totals.died);
        self.log_event(serial, Event::Dead.with_text(Some(&error)));
        self.change(serial, |job| {
            (job.state, job.at) = (State::Dead, now);
            (job.history_mut().error, job.history_mut().kind) = (Some(error), None);
        });
    }

    /// Makes a dead or done job ready again if its key allows it; returns whether it did.
    fn redrive(&mut self, serial: Serial, now: UnixMs) -> bool {
        let again = |job: &BorrowedJob<'_>| job.state.is_end() && self.may_reacquire_key(*job, now);
        let begins = self.job(serial).filter(again).is_some();
        if begins {
            let shift = self.shift(now);
            self.change_and_log(serial, Some(Event::Redriven.plain()), |job| job.redrive(now, shift));
            self.reacquire_key(serial);
        }
        begins
    }

    fn fail(
        &mut self,
        serial: Serial,
        (error, kind): (Option<Bytes>, Option<Bytes>),
        after_fail: AfterFail,
        now: UnixMs,
    ) {
        // No primary sends this: a job that has ended has been counted with its KIND.
        if self.job(serial).is_some_and(|job| job.state.is_end()) {
            return;
        }
        self.count_failure(serial, kind.as_deref(), after_fail);
        self.log_event(serial, Event::Failed.with_text(error.as_deref()));
        self.log_event(
            serial,
            match after_fail {
                AfterFail::Retry { due } => Event::Delayed.at_time(due),
                AfterFail::Dead => Event::Dead.with_text(error.as_deref()),
            },
        );
        self.change(serial, |job| {
            job.last_outcome = LastOutcome::Failed;
            job.set_rate_charge(None);
            let history = job.history_mut();
            history.failures = history.failures.saturating_add(1);
            (history.error, history.kind) = (error, kind);
            match after_fail {
                AfterFail::Retry { due } => {
                    job.state = State::Delayed;
                    job.at = due;
                    job.ready_at = due;
                }
                AfterFail::Dead => {
                    job.state = State::Dead;
                    job.at = now;
                }
            }
        });
    }
}

impl Job {
    /// Ready as if it had just been pushed.
    fn redrive(&mut self, now: UnixMs, shift: Rank) {
        if self.state.is_end() {
            let was_done = self.state == State::Done;
            self.last_outcome = LastOutcome::Open;
            self.make_ready(now, shift);
            // The token of its last worker is refused from now on.
            self.token = 0;
            self.forget_run();
            self.set_rate_charge(None);
            if let Some(options) = &mut self.options {
                options.batch = 0;
            }
            if self.read().history().is_some() {
                let history = self.history_mut();
                (history.failures, history.stalls) = (0, 0);
                if was_done {
                    // Nothing is left of a run that succeeded.
                    (history.result, history.progress) = (None, None);
                }
            }
            if let Some(lifetime) = self.lifetime_mut() {
                lifetime.start_expiry(now);
            }
        }
    }
}
