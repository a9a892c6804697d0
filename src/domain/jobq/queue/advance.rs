//! What time has made due: leases that ran out, delays that are over, jobs kept long enough; and, by themselves, the
//! [runs](crate::domain::jobq::queue::schedule_runs) of schedules.
//!
//! Every write first advances the queue, by at most [`STEPS`] steps, so no timer is needed for
//! anything to be right. Lost leases come first: their jobs have the oldest places.

use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::as_of::STALLED;
use crate::domain::jobq::state::config::Keep;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::count;
use crate::domain::time::UnixMs;
use std::sync::Arc;

/// More than one POP can take, so that what it should see has been moved.
const STEPS: u32 = 2_000;

/// What it takes of these to tell one job of another's end: each write tells some by itself too, and one that dies of it
/// takes longer than any other step.
const FOLLOWED: u32 = 4;

/// A step that is due.
enum Step {
    Lapse(Serial),
    Expire(Serial),
    Free(Arc<[u8]>),
    Follow,
    Ripen(Serial, UnixMs),
    Forget(Serial),
}

impl Queue {
    /// The effect that brings the queue up to `now`, if anything is due.
    pub fn overdue_at(&self, now: UnixMs) -> Option<Effect> {
        let now = self.clamp(now);
        let advance = self.step(now).map(|_| Change::Advance { steps: STEPS });
        // Every call asks, and mostly there is nothing: that is told without a list.
        if advance.is_none() && self.next_run().is_none_or(|run| run > now) {
            return None;
        }
        Effect::of(advance.into_iter().chain(self.runs_due(now)).collect(), now)
    }

    fn step(&self, now: UnixMs) -> Option<Step> {
        let due = |state| self.first(state).filter(|(at, _)| *at <= now);
        let kept = |state| {
            let Keep { age, most } = self.keep(state);
            let (at, serial) = self.first(state)?;
            (at.saturating_add(age) <= now || self.timed(state).len() > most).then_some(serial)
        };
        due(State::Active)
            .map(|(_, serial)| Step::Lapse(serial))
            .or_else(|| self.first_expired(now).map(Step::Expire))
            .or_else(|| self.first_freed(now).map(Step::Free))
            .or_else(|| self.flows.has_work().then_some(Step::Follow))
            .or_else(|| due(State::Delayed).map(|(due, serial)| Step::Ripen(serial, due)))
            .or_else(|| self.first_left(now).map(Step::Forget))
            .or_else(|| kept(State::Done).map(Step::Forget))
            .or_else(|| kept(State::Dead).map(Step::Forget))
    }

    pub(crate) fn advance(&mut self, now: UnixMs, steps: u32) {
        let mut left = steps.min(STEPS);
        while left > 0 {
            let step = self.step(now);
            left = left.saturating_sub(if let Some(Step::Follow) = step { FOLLOWED } else { 1 });
            match step {
                None => break,
                Some(Step::Lapse(serial)) => self.lapse(serial, now),
                Some(Step::Expire(serial)) => self.expire(serial),
                Some(Step::Free(key)) => self.free(&key),
                Some(Step::Follow) => _ = self.follow_one(),
                Some(Step::Ripen(serial, due)) => {
                    let shift = self.shift(due);
                    let ready = Event::Ready.plain();
                    self.change_and_record(serial, Some(ready), |job| job.becomes_ready(due, shift));
                }
                Some(Step::Forget(serial)) => {
                    self.record(serial, Event::Removed.plain());
                    self.remove(serial);
                }
            }
        }
    }

    fn lapse(&mut self, serial: Serial, now: UnixMs) {
        count(&mut self.totals.stalled);
        self.record(serial, Event::Stalled.plain());
        if self.job(serial).is_some_and(|job| job.is_cancelled()) {
            self.record(serial, Event::Cancelled.plain());
            return self.remove(serial);
        }
        if self.job(serial).is_some_and(Job::expires_with_its_lease) {
            return self.expire(serial);
        }
        let most = self.config.stall_max;
        let died = self.job(serial).is_some_and(|job| job.dies_of_next_stall(most));
        let dead = died.then(|| Event::Dead.saying(Some(STALLED)));
        self.change_and_record(serial, dead, |job| {
            job.story_mut().stalls = job.stalls().saturating_add(1);
            if died {
                job.state = State::Dead;
                job.at = now;
                job.story_mut().error = Some(STALLED.into());
            } else {
                job.state = State::Ready;
                job.at = job.place;
            }
        });
        if died {
            count(&mut self.totals.died);
        }
    }
}

impl Job {
    /// `most` is how many stalls it may have.
    pub(crate) fn dies_of_next_stall(&self, most: u32) -> bool {
        self.stalls() >= most
    }
}
