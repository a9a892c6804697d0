//! What has happened in a queue.

pub(crate) mod event;
pub(crate) mod event_log;
pub(crate) mod minute_counts;

use crate::domain::jobq::history::event::{EventSubject, EventWithDetail};
use crate::domain::jobq::history::event_log::EventLog;
use crate::domain::jobq::history::minute_counts::MinuteCounts;
use crate::domain::time::UnixMs;

/// What has happened: the last events one by one, and how many of them in each minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub events: EventLog,
    pub series: MinuteCounts,
}

impl History {
    /// Writes an event down; no more than `most` are kept.
    pub fn add(&mut self, most: u32, at: UnixMs, subject: EventSubject<'_>, what: EventWithDetail<'_>) {
        self.series.count(what.0, at);
        self.events.add(most, at, subject, what);
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_new() && self.series.is_empty()
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.events.memory() + self.series.memory()
    }
}
