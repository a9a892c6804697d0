//! EXPIRE and KEEP: jobs that say themselves how long they wait and how long they are kept.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::lifetime::{End, Life, MOMENT};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::count;
use crate::domain::time::UnixMs;

impl Job {
    pub(crate) fn life(&self) -> Option<&Life> {
        self.extra.as_ref()?.life.as_deref()
    }

    pub(crate) fn life_mut(&mut self) -> Option<&mut Life> {
        self.extra.as_mut()?.life.as_deref_mut()
    }

    /// When its waiting ends, if it does.
    pub(crate) fn expires(&self) -> Option<UnixMs> {
        self.life().map(|life| life.expires).filter(|expires| *expires > 0)
    }

    /// Its own KEEP, but never shorter than [`MOMENT`].
    pub(crate) fn keep(&self) -> Option<u64> {
        self.life()?.keep.map(|keep| keep.max(MOMENT))
    }

    pub(crate) fn end(&self) -> End {
        match self.state {
            State::Active | State::Blocked => End::Open,
            State::Done | State::Dead => {
                self.keep().map_or(End::Open, |keep| End::Leaves(self.at.saturating_add(keep)))
            }
            State::Ready | State::Delayed => self.expires().map_or(End::Open, End::Expires),
        }
    }

    /// Whether it waits and has waited too long.
    pub(crate) fn is_expired(&self, now: UnixMs) -> bool {
        matches!(self.end(), End::Expires(at) if at <= now)
    }

    /// Whether its waiting was over when its lease ran out.
    pub(crate) fn expires_with_its_lease(&self) -> bool {
        self.expires().is_some_and(|expires| expires <= self.at)
    }
}

impl Queue {
    /// The first job that has waited too long.
    pub(crate) fn first_expired(&self, now: UnixMs) -> Option<Serial> {
        self.ends.expiring.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// The first job that was kept for as long as it said.
    pub(crate) fn first_left(&self, now: UnixMs) -> Option<Serial> {
        self.ends.leaving.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// Whether a job of the line has waited too long, though nothing has removed it yet.
    pub(crate) fn has_expired(&self, serial: Serial, now: UnixMs) -> bool {
        self.job(serial).is_some_and(|job| job.is_expired(now))
    }

    pub(crate) fn expire(&mut self, serial: Serial) {
        count(&mut self.totals.expired);
        self.record(serial, Event::Expired.plain());
        self.remove(serial);
    }
}
