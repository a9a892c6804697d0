//! What time has made due: leases that ran out, delays that are over, jobs kept long enough; and,
//! by themselves, the [runs](crate::domain::jobq::queue::schedule_runs) of schedules.
//!
//! Every write first advances the queue, by at most [`MAX_STEPS`] steps, so no timer is needed for
//! anything to be right. Lost leases come first: their jobs have the oldest places.

use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::as_of::{STALL_ERROR, STALL_KIND};
use crate::domain::jobq::state::config::Keep;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::sync::Arc;

/// More than one POP can take, so that a POP sees everything that is due.
const MAX_STEPS: u32 = 2_000;

/// Cost, in steps, of notifying one dependent. Every write notifies some dependents too, and
/// killing a dependent is the most expensive step.
const STEPS_PER_NOTIFICATION: u32 = 4;

/// Cost, in steps, of judging a group anew: its use of the rate is worked out, and it moves in four
/// indexes. So one write opens 500, of which a POP takes half.
const STEPS_PER_GROUP: u32 = 4;

/// A step that is due.
enum DueStep {
    LeaseExpired(Serial),
    Expired(Serial),
    KeyReleased(Arc<[u8]>),
    NotifyDependents,
    DelayElapsed(Serial, UnixMs),
    GroupOpens(Arc<[u8]>),
    RecheckGroup,
    RetentionExpired(Serial),
}

impl Queue {
    /// The effect that brings the queue up to `now`, if anything is due.
    pub fn overdue_at(&self, now: UnixMs) -> Option<Effect> {
        let now = self.clamp(now);
        let advance = self.next_step(now).map(|_| Change::Advance { steps: MAX_STEPS });
        // Every call asks, and mostly nothing is due: this answers without building a list.
        if advance.is_none() && self.next_run().is_none_or(|run| run > now) {
            return None;
        }
        Effect::from_changes(advance.into_iter().chain(self.due_runs(now)).collect(), now)
    }

    fn next_step(&self, now: UnixMs) -> Option<DueStep> {
        let due = |state| self.first(state).filter(|(at, _)| *at <= now);
        let kept = |state| {
            let Keep { age, most } = self.keep(state);
            let (at, serial) = self.first(state)?;
            (at.saturating_add(age) <= now || self.by_time(state).len() > most).then_some(serial)
        };
        due(State::Active)
            .map(|(_, serial)| DueStep::LeaseExpired(serial))
            .or_else(|| self.first_expired(now).map(DueStep::Expired))
            .or_else(|| self.first_free_key(now).map(DueStep::KeyReleased))
            .or_else(|| self.dependency_graph.has_work().then_some(DueStep::NotifyDependents))
            .or_else(|| due(State::Delayed).map(|(due, serial)| DueStep::DelayElapsed(serial, due)))
            .or_else(|| self.group_to_open(now).map(DueStep::GroupOpens))
            .or_else(|| self.group_controls.recheck_from.is_some().then_some(DueStep::RecheckGroup))
            .or_else(|| self.first_past_retention(now).map(DueStep::RetentionExpired))
            .or_else(|| kept(State::Done).map(DueStep::RetentionExpired))
            .or_else(|| kept(State::Dead).map(DueStep::RetentionExpired))
    }

    fn group_to_open(&self, now: UnixMs) -> Option<Arc<[u8]>> {
        let (at, group) = self.group_controls.first_to_open()?;
        (*at <= now).then(|| Arc::clone(group))
    }

    pub(crate) fn advance(&mut self, now: UnixMs, steps: u32) {
        let mut left = steps.min(MAX_STEPS);
        while left > 0 {
            let step = self.next_step(now);
            left = left.saturating_sub(match step {
                Some(DueStep::NotifyDependents) => STEPS_PER_NOTIFICATION,
                Some(DueStep::GroupOpens(_) | DueStep::RecheckGroup) => STEPS_PER_GROUP,
                _ => 1,
            });
            match step {
                None => break,
                Some(DueStep::LeaseExpired(serial)) => self.expire_lease(serial, now),
                Some(DueStep::Expired(serial)) => self.expire(serial),
                Some(DueStep::KeyReleased(key)) => self.release_key(&key),
                Some(DueStep::NotifyDependents) => _ = self.notify_one_dependent(),
                Some(DueStep::DelayElapsed(serial, due)) => {
                    let shift = self.shift(due);
                    let ready = Event::Ready.plain();
                    self.change_and_log(serial, Some(ready), |job| job.make_ready(due, shift));
                }
                Some(DueStep::GroupOpens(group)) => self.change_group(&group, now, |_| ()),
                Some(DueStep::RecheckGroup) => self.recheck_one_group(now),
                Some(DueStep::RetentionExpired(serial)) => {
                    self.log_event(serial, Event::Removed.plain());
                    self.remove(serial);
                }
            }
        }
    }

    fn expire_lease(&mut self, serial: Serial, now: UnixMs) {
        self.count_total(serial, |totals| &mut totals.stalled);
        self.log_event(serial, Event::Stalled.plain());
        if self.job(serial).is_some_and(|job| job.is_cancelled()) {
            self.log_event(serial, Event::Cancelled.plain());
            return self.remove(serial);
        }
        if self.job(serial).is_some_and(BorrowedJob::expires_with_its_lease) {
            return self.expire(serial);
        }
        let most = self.config.stall_max;
        let died = self.job(serial).is_some_and(|job| job.dies_of_next_stall(most));
        let dead = died.then(|| Event::Dead.with_text(Some(STALL_ERROR)));
        self.change_and_log(serial, dead, |job| {
            let stalls = &mut job.history_mut().stalls;
            *stalls = stalls.saturating_add(1);
            if died {
                job.state = State::Dead;
                job.at = now;
                let history = job.history_mut();
                (history.error, history.kind) = (Some(STALL_ERROR.into()), Some(STALL_KIND.into()));
            } else {
                job.state = State::Ready;
                job.at = job.ready_at;
            }
        });
        if died {
            self.count_total(serial, |totals| &mut totals.died);
            let kind = self.breakdowns.kinds.number_for(STALL_KIND, now);
            self.count_kind(kind, |totals| &mut totals.died);
        }
    }
}

impl BorrowedJob<'_> {
    /// `most` is how many stalls it may have.
    pub(crate) fn dies_of_next_stall(self, most: u32) -> bool {
        self.stalls() >= most
    }
}
