//! EXPIRE and KEEP: jobs that say themselves how long they wait and how long they are kept.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::lifetime::{JobDeadline, MIN_RETENTION_MS};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;

impl BorrowedJob<'_> {
    /// When its waiting ends, if it does.
    pub(crate) fn expires(self) -> Option<UnixMs> {
        self.lifetime().map(|lifetime| lifetime.expires).filter(|expires| *expires > 0)
    }

    /// Its own KEEP, but never shorter than [`MIN_RETENTION_MS`].
    pub(crate) fn keep(self) -> Option<u64> {
        self.lifetime()?.keep.map(|keep| keep.max(MIN_RETENTION_MS))
    }

    pub(crate) fn deadline(self) -> JobDeadline {
        match self.state {
            State::Active | State::Blocked => JobDeadline::None,
            State::Done | State::Dead => self
                .keep()
                .map_or(JobDeadline::None, |keep| JobDeadline::Retention(self.at.saturating_add(keep))),
            State::Ready | State::Delayed => self.expires().map_or(JobDeadline::None, JobDeadline::Expiry),
        }
    }

    /// Whether it waits and has waited too long.
    pub(crate) fn is_expired(self, now: UnixMs) -> bool {
        matches!(self.deadline(), JobDeadline::Expiry(at) if at <= now)
    }

    /// Whether its waiting was over when its lease ran out.
    pub(crate) fn expires_with_its_lease(self) -> bool {
        self.expires().is_some_and(|expires| expires <= self.at)
    }
}

impl Queue {
    /// The first job that has waited too long.
    pub(crate) fn first_expired(&self, now: UnixMs) -> Option<Serial> {
        self.deadlines.expiring.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// The first job that was kept for as long as it said.
    pub(crate) fn first_past_retention(&self, now: UnixMs) -> Option<Serial> {
        self.deadlines.retained.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// Whether a job of the line has waited too long, though nothing has removed it yet.
    pub(crate) fn has_expired(&self, serial: Serial, now: UnixMs) -> bool {
        self.job(serial).is_some_and(|job| job.is_expired(now))
    }

    pub(crate) fn expire(&mut self, serial: Serial) {
        self.count_total(serial, |totals| &mut totals.expired);
        self.log_event(serial, Event::Expired.plain());
        self.remove(serial);
    }
}
