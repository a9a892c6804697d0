//! EXPIRE and KEEP of a job, and the jobs that end by them.

use crate::domain::jobq::ready::sorted_set::Lane;
use crate::domain::jobq::state::dependencies::Flow;
use crate::domain::jobq::state::serial::{FARTHEST, Serial};
use crate::domain::jobq::state::unique_keys::Unique;
use crate::domain::time::UnixMs;

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
    pub(crate) fn begin(&mut self, due: UnixMs) {
        self.expires = match self.expire {
            0 => 0,
            expire => due.saturating_add(expire).min(FARTHEST - 1),
        };
    }

    pub(crate) fn weight(&self) -> usize {
        let key = self.unique.as_ref().map_or(0, |unique| unique.key.len());
        size_of::<Self>() + key + self.flow.as_ref().map_or(0, |flow| size_of_val(&*flow.after))
    }
}

/// What the job's own words end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing: it is active, or says nothing.
    Open,
    /// Its waiting.
    Expires(UnixMs),
    /// Its being kept.
    Leaves(UnixMs),
}

/// The jobs that end by their own words, by when they do.
#[derive(Debug, Default)]
pub(crate) struct Ends {
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

/// Even with `KEEP 0s` a job that has ended is there for so long: those who wait for its result are answered first,
/// whatever the clock says by then.
pub(crate) const MOMENT: u64 = 10;
