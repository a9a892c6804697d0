//! What has happened in a queue.

pub(crate) mod breakdown;
pub(crate) mod duration_histogram;
pub(crate) mod event;
pub(crate) mod event_log;
pub(crate) mod minute_counts;
pub(crate) mod names_and_kinds;

use crate::domain::jobq::history::event::{Event, EventSubject, EventWithDetail};
use crate::domain::jobq::history::event_log::EventLog;
use crate::domain::jobq::history::minute_counts::MinuteCounts;
use crate::domain::time::UnixMs;

/// What has happened: the last events one by one, and how many of them in each minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub events: EventLog,
    pub series: MinuteCounts,
    /// The kinds of events since [`History::take_kinds`], a bit for each in the order of
    /// [`Event::ALL`]. Not saved.
    kinds: u32,
}

const _: () = assert!(Event::ALL.len() <= u32::BITS as usize, "each kind has its bit");

impl History {
    /// Writes an event down; no more than `most` are kept.
    pub fn add(&mut self, most: u32, at: UnixMs, subject: EventSubject<'_>, what: EventWithDetail<'_>) {
        self.kinds |= 1 << what.0 as u32;
        self.series.count(what.0, at);
        self.events.add(most, at, subject, what);
    }

    /// The kinds of events since the last call.
    pub fn take_kinds(&mut self) -> impl Iterator<Item = Event> + use<> {
        let kinds = std::mem::take(&mut self.kinds);
        Event::ALL.into_iter().filter(move |event| kinds & (1 << *event as u32) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_new() && self.series.is_empty()
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.events.memory() + self.series.memory()
    }
}
