//! EXPIRE and KEEP: jobs that say themselves how long they wait and how long they are kept.

use super::apply::count;
use super::effect::FARTHEST;
use super::event::Event;
use super::flow::Flow;
use super::job::{Job, State};
use super::queue::{Lane, Queue, Serial};
use super::unique::Unique;
use crate::domain::time::UnixMs;

/// Even with `KEEP 0s` a job that has ended is there for so long: those who wait for its result are answered first,
/// whatever the clock says by then.
pub(super) const MOMENT: u64 = 10;

/// What few jobs say about their own life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// How long it may wait from when it is first due, in milliseconds; 0 is without an end.
    pub expire: u64,
    /// When that is over; 0 when it has no end, and while the job waits for others.
    pub expires: UnixMs,
    /// How long it is kept when it has ended, in milliseconds; `None` is as the queue keeps its jobs.
    pub keep: Option<u64>,
    pub unique: Option<Unique>,
    pub flow: Option<Flow>,
    /// That of the job whose place it has taken with those that wait for it.
    pub anchor: Option<Serial>,
}

impl Life {
    /// Counts EXPIRE from `due` on.
    pub(super) fn begin(&mut self, due: UnixMs) {
        self.expires = match self.expire {
            0 => 0,
            expire => due.saturating_add(expire).min(FARTHEST - 1),
        };
    }

    pub(super) fn weight(&self) -> usize {
        let key = self.unique.as_ref().map_or(0, |unique| unique.key.len());
        size_of::<Self>() + key + self.flow.as_ref().map_or(0, |flow| size_of_val(&*flow.after))
    }
}

/// What the job's own words end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: it is active, or says nothing.
    Open,
    /// Its waiting.
    Expires(UnixMs),
    /// Its being kept.
    Leaves(UnixMs),
}

/// The jobs that end by their own words, by when they do.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub expiring: Lane,
    pub leaving: Lane,
}

impl Ends {
    pub fn enter(&mut self, serial: Serial, end: End) {
        match end {
            End::Open => {}
            End::Expires(at) => _ = self.expiring.insert((at, serial)),
            End::Leaves(at) => _ = self.leaving.insert((at, serial)),
        }
    }

    pub fn leave(&mut self, serial: Serial, end: End) {
        match end {
            End::Open => {}
            End::Expires(at) => _ = self.expiring.remove(&(at, serial)),
            End::Leaves(at) => _ = self.leaving.remove(&(at, serial)),
        }
    }
}

impl Job {
    pub(super) fn life(&self) -> Option<&Life> {
        self.extra.as_ref()?.life.as_deref()
    }

    pub(super) fn life_mut(&mut self) -> Option<&mut Life> {
        self.extra.as_mut()?.life.as_deref_mut()
    }

    /// When its waiting ends, if it does.
    pub(super) fn expires(&self) -> Option<UnixMs> {
        self.life().map(|life| life.expires).filter(|expires| *expires > 0)
    }

    /// Its own KEEP, but never shorter than [`MOMENT`].
    pub(super) fn keep(&self) -> Option<u64> {
        self.life()?.keep.map(|keep| keep.max(MOMENT))
    }

    pub(super) fn end(&self) -> End {
        match self.state {
            State::Active | State::Blocked => End::Open,
            State::Done | State::Dead => {
                self.keep().map_or(End::Open, |keep| End::Leaves(self.at.saturating_add(keep)))
            }
            State::Ready | State::Delayed => self.expires().map_or(End::Open, End::Expires),
        }
    }

    /// Whether it waits and has waited too long.
    pub(super) fn is_expired(&self, now: UnixMs) -> bool {
        matches!(self.end(), End::Expires(at) if at <= now)
    }

    /// Whether its waiting was over when its lease ran out.
    pub(super) fn expires_with_its_lease(&self) -> bool {
        self.expires().is_some_and(|expires| expires <= self.at)
    }
}

impl Queue {
    /// The first job that has waited too long.
    pub(super) fn first_expired(&self, now: UnixMs) -> Option<Serial> {
        self.ends.expiring.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// The first job that was kept for as long as it said.
    pub(super) fn first_left(&self, now: UnixMs) -> Option<Serial> {
        self.ends.leaving.first().filter(|(at, _)| *at <= now).map(|(_, serial)| *serial)
    }

    /// Whether a job of the line has waited too long, though nothing has removed it yet.
    pub(super) fn has_expired(&self, serial: Serial, now: UnixMs) -> bool {
        self.job(serial).is_some_and(|job| job.is_expired(now))
    }

    pub(super) fn expire(&mut self, serial: Serial) {
        count(&mut self.totals.expired);
        self.record(serial, Event::Expired.plain());
        self.remove(serial);
    }
}
