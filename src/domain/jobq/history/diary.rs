//! The last events one by one, and how many in each minute.

use crate::domain::jobq::history::event::{What, Whom};
use crate::domain::jobq::history::event_log::Events;
use crate::domain::jobq::history::minute_counts::Series;
use crate::domain::time::UnixMs;

/// What has happened: the last events one by one, and how many of them in each minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diary {
    pub events: Events,
    pub series: Series,
}

impl Diary {
    /// Writes an event down; no more than `most` are kept.
    pub fn add(&mut self, most: u32, at: UnixMs, whom: Whom<'_>, what: What<'_>) {
        self.series.count(what.0, at);
        self.events.add(most, at, whom, what);
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_new() && self.series.is_empty()
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.events.memory() + self.series.memory()
    }
}
