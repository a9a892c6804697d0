//! An effect made to happen: total and deterministic.

use super::effect::{Change, Effect, Fate, NewJob};
use super::job::{Extra, Job, Settled, State};
use super::queue::{Queue, Serial};
use crate::domain::time::UnixMs;

impl Queue {
    pub(super) fn make_happen(&mut self, effect: Effect) {
        self.clock = self.clamp(effect.now);
        let now = self.clock;
        match effect.change {
            Change::Many(changes) => changes.into_iter().for_each(|change| self.make(change, now)),
            change => self.make(change, now),
        }
    }

    fn make(&mut self, change: Change, now: UnixMs) {
        match change {
            Change::Advance { steps } => self.advance(now, steps),
            Change::Push { serial, job } => self.push(serial, job, now),
            Change::Pop { grants } => {
                for grant in grants {
                    self.highest_token = self.highest_token.max(grant.token);
                    self.change(grant.serial, |job| {
                        job.state = State::Active;
                        job.settled = Settled::Open;
                        job.at = grant.deadline;
                        job.token = grant.token;
                    });
                }
            }
            Change::Ack { serial, result } => {
                count(&mut self.totals.acked);
                self.change(serial, |job| {
                    job.state = State::Done;
                    job.settled = Settled::Acked;
                    job.at = now;
                    if result.is_some() {
                        job.extra_mut().result = result;
                    }
                });
            }
            Change::Fail { serial, error, fate } => self.fail(serial, error, fate, now),
            Change::Release { serial, due } => self.change(serial, |job| {
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
            }),
            Change::Extend { serial, deadline } => self.change(serial, |job| {
                if job.state == State::Active {
                    job.at = deadline;
                }
            }),
            Change::Remove { serial } => self.remove(serial),
            Change::Flag { serial } => self.change(serial, |job| job.extra_mut().cancelled = true),
            Change::Redrive { serials } => {
                for serial in serials {
                    self.change(serial, |job| job.begin_again(now));
                }
            }
            // A batch holds no batch.
            Change::Many(_) => {}
        }
    }

    fn push(&mut self, serial: Serial, new: NewJob, now: UnixMs) {
        let extra = Extra { id: new.id, name: new.name, meta: new.meta, ..Extra::default() };
        let job = Job {
            payload: new.payload,
            state: if new.due > now { State::Delayed } else { State::Ready },
            settled: Settled::Open,
            at: new.due,
            place: new.due,
            created: now,
            token: 0,
            failures: 0,
            stalls: 0,
            retries: new.retries,
            priority: new.priority,
            lifo: new.lifo,
            lease: new.lease,
            backoff: new.backoff,
            extra: (extra != Extra::default()).then(|| Box::new(extra)),
        };
        if self.insert(serial, job) {
            self.next_serial = self.next_serial.max(serial.saturating_add(1));
            count(&mut self.totals.pushed);
        }
    }

    fn fail(&mut self, serial: Serial, error: Option<Box<[u8]>>, fate: Fate, now: UnixMs) {
        count(&mut self.totals.failed);
        match fate {
            Fate::Retry { .. } => count(&mut self.totals.retried),
            Fate::Dead => count(&mut self.totals.died),
        }
        self.change(serial, |job| {
            job.settled = Settled::Failed;
            job.failures = job.failures.saturating_add(1);
            if error.is_some() || job.extra.is_some() {
                job.extra_mut().error = error;
            }
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
    fn begin_again(&mut self, now: UnixMs) {
        if self.state == State::Dead {
            (self.state, self.settled) = (State::Ready, Settled::Open);
            (self.at, self.place) = (now, now);
            // Whoever held it has nothing to say any more.
            (self.token, self.failures, self.stalls) = (0, 0, 0);
        }
    }
}

/// One more; a total that was loaded may be any number.
pub(super) fn count(total: &mut u64) {
    *total = total.saturating_add(1);
}
