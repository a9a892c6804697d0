//! What time has made due: leases that ran out, delays that are over, jobs kept long enough.
//!
//! Every write first advances the queue, by at most [`STEPS`] steps, so no timer is needed for
//! anything to be right. Lost leases come first: their jobs have the oldest places.

use super::apply::count;
use super::effect::{Change, Effect};
use super::job::{Job, State};
use super::queue::{Queue, Serial};
use super::{KEEP_DEAD, KEEP_DONE, STALL_MAX};
use crate::domain::time::UnixMs;

/// More than one POP can take, so that what it should see has been moved.
const STEPS: u32 = 2_000;

/// What a job died of when its lease ran out too often.
pub(super) const STALLED: &[u8] = b"stalled: its lease ran out too often";

/// A step that is due.
enum Step {
    Lapse(Serial),
    Ripen(Serial),
    Forget(Serial),
}

impl Queue {
    /// The effect that brings the queue up to `now`, if anything is due.
    pub fn overdue_at(&self, now: UnixMs) -> Option<Effect> {
        let now = self.clamp(now);
        self.step(now).map(|_| Effect { now, change: Change::Advance { steps: STEPS } })
    }

    fn step(&self, now: UnixMs) -> Option<Step> {
        let due = |state| self.first(state).filter(|(at, _)| *at <= now).map(|(_, serial)| serial);
        let kept = |state, (age, most): (u64, usize)| {
            let (at, serial) = self.first(state)?;
            (at.saturating_add(age) <= now || self.count(state) > most).then_some(serial)
        };
        due(State::Active)
            .map(Step::Lapse)
            .or_else(|| due(State::Delayed).map(Step::Ripen))
            .or_else(|| kept(State::Done, KEEP_DONE).map(Step::Forget))
            .or_else(|| kept(State::Dead, KEEP_DEAD).map(Step::Forget))
    }

    pub(super) fn advance(&mut self, now: UnixMs, steps: u32) {
        for _ in 0..steps.min(STEPS) {
            match self.step(now) {
                None => break,
                Some(Step::Lapse(serial)) => self.lapse(serial, now),
                Some(Step::Ripen(serial)) => self.change(serial, |job| {
                    job.state = State::Ready;
                    job.place = job.at;
                }),
                Some(Step::Forget(serial)) => self.remove(serial),
            }
        }
    }

    fn lapse(&mut self, serial: Serial, now: UnixMs) {
        count(&mut self.totals.stalled);
        if self.job(serial).is_some_and(Job::is_cancelled) {
            return self.remove(serial);
        }
        let mut died = false;
        self.change(serial, |job| {
            died = job.dies_of_next_stall();
            job.stalls = job.stalls.saturating_add(1);
            if died {
                job.state = State::Dead;
                job.at = now;
                job.extra_mut().error = Some(STALLED.into());
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
    pub(super) fn dies_of_next_stall(&self) -> bool {
        self.stalls >= STALL_MAX
    }
}
