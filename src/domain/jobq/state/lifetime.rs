//! EXPIRE and KEEP of a job, and the jobs that end by them.

use crate::domain::jobq::ready::sorted_set::TimeIndex;
use crate::domain::jobq::state::dependencies::Dependencies;
use crate::domain::jobq::state::serial::{MAX_STORED_TIME, Serial};
use crate::domain::jobq::state::unique_keys::Unique;
use crate::domain::time::UnixMs;

/// What few jobs have: a lifetime, a key or dependencies of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobLifetime {
    /// How long it may wait from when it is first due, in milliseconds; 0 is without an end.
    pub expire: u64,
    /// When that is over; 0 when it has no end, and while the job waits for others.
    pub expires: UnixMs,
    /// How long it is kept when it has ended, in milliseconds; `None` is as the queue keeps its
    /// jobs.
    pub keep: Option<u64>,
    pub unique: Option<Unique>,
    pub dependencies: Option<Dependencies>,
    /// Serial of the job it replaced; dependents of that job now wait for this one.
    pub root: Option<Serial>,
}

impl JobLifetime {
    /// Counts EXPIRE from `due` on.
    pub(crate) fn start_expiry(&mut self, due: UnixMs) {
        self.expires = match self.expire {
            0 => 0,
            expire => due.saturating_add(expire).min(MAX_STORED_TIME - 1),
        };
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let key = self.unique.as_ref().map_or(0, |unique| unique.key.len());
        size_of::<Self>()
            + key
            + self.dependencies.as_ref().map_or(0, |dependencies| size_of_val(&*dependencies.after))
    }
}

/// What EXPIRE or KEEP of the job ends, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobDeadline {
    /// Nothing: it is active, or says nothing.
    None,
    /// Its waiting.
    Expiry(UnixMs),
    /// Its being kept.
    Retention(UnixMs),
}

/// The jobs with a deadline of their own, by that deadline.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    pub expiring: TimeIndex,
    pub retained: TimeIndex,
}

impl Deadlines {
    pub fn insert(&mut self, serial: Serial, end: JobDeadline) {
        match end {
            JobDeadline::None => {}
            JobDeadline::Expiry(at) => _ = self.expiring.insert((at, serial)),
            JobDeadline::Retention(at) => _ = self.retained.insert((at, serial)),
        }
    }

    pub fn remove(&mut self, serial: Serial, end: JobDeadline) {
        match end {
            JobDeadline::None => {}
            JobDeadline::Expiry(at) => _ = self.expiring.remove(&(at, serial)),
            JobDeadline::Retention(at) => _ = self.retained.remove(&(at, serial)),
        }
    }
}

/// A job that ended is kept at least this long, even with `KEEP 0s`: the clients that wait for its
/// result are answered first, whatever the clock says by then.
pub(crate) const MIN_RETENTION_MS: u64 = 10;
