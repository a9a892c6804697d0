//! Where the queue writes down what happens in it, and EVENTS, which shows it.

use std::borrow::Cow;

use super::event::{Detail, Event, What, Whom};
use super::events::Events;
use super::id::{Automatic, Id};
use super::job::State;
use super::queue::{Queue, Serial};
use super::series::{Minute, Series};
use crate::domain::time::{MINUTE, UnixMs};

/// The subject that those wait for who wait for the next event: no job has it.
pub const NEXT_EVENT: u64 = u64::MAX;

/// What has happened: the last events one by one, and how many of them in each minute.
#[derive(Debug, Clone, Default)]
pub(super) struct Diary {
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

/// One event, as EVENTS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView<'q> {
    /// Counts all events of the queue, from 1.
    pub seq: u64,
    pub at: UnixMs,
    pub event: Event,
    /// `None` is the queue itself.
    pub id: Option<Id<'q>>,
    pub detail: Option<Cow<'q, [u8]>>,
}

impl EventView<'_> {
    /// Freed from the queue, so that it can be kept.
    pub fn into_owned(self) -> EventView<'static> {
        let detail = self.detail.map(|detail| Cow::Owned(detail.into_owned()));
        EventView { id: self.id.map(Id::into_owned), detail, ..self }
    }
}

/// The first events after the one with the number `since`, at most `count`; from the oldest that is kept where that
/// one is kept no more, or has not been yet: it was of another queue.
pub fn events(queue: Option<&Queue>, since: u64, count: usize) -> Vec<EventView<'_>> {
    let Some(queue) = queue else { return Vec::new() };
    let events = queue.diary.events.after(since).take(count);
    events
        .map(|entry| {
            let id = match entry.whom {
                Whom::Queue => None,
                Whom::Serial(serial) => Some(Id::Automatic(Automatic::of(serial))),
                Whom::Id(id) => Some(Id::from(id)),
            };
            let (event, detail) = entry.what;
            let detail = match detail {
                Detail::None => None,
                Detail::Time(time) => Some(Cow::Owned(time.to_string().into_bytes())),
                Detail::Text(text) => Some(Cow::Borrowed(text)),
            };
            EventView { seq: entry.seq, at: entry.at, event, id, detail }
        })
        .collect()
}

/// The minutes in which something happened, of the last `count` until now, the one that runs included.
pub fn series(queue: Option<&Queue>, count: u64, now: UnixMs) -> Vec<Minute> {
    let Some(queue) = queue else { return Vec::new() };
    let first = (queue.clamp(now) / MINUTE + 1).saturating_sub(count) * MINUTE;
    let mut minutes = queue.diary.series.minutes();
    minutes.retain(|minute| minute.begun() >= first);
    minutes
}

/// What happened in the last minute that is over.
pub fn last_minute(queue: Option<&Queue>, now: UnixMs) -> Minute {
    queue.map(|queue| queue.diary.series.last_full(queue.clamp(now))).unwrap_or_default()
}

impl Queue {
    /// Writes down what happens to a job that is there.
    pub(super) fn record(&mut self, serial: Serial, what: What<'_>) {
        if let Some(job) = self.jobs.get(serial) {
            self.diary.add(self.config.events, self.clock, Whom::job(serial, job.id()), what);
        }
    }

    /// Writes down what happens to the queue.
    pub(super) fn record_of_queue(&mut self, what: What<'_>) {
        self.diary.add(self.config.events, self.clock, Whom::Queue, what);
    }

    /// Writes down that a job has come to be ready or delayed, where it was not so before.
    pub(super) fn record_if_moved(&mut self, serial: Serial, before: Option<(State, UnixMs)>) {
        let Some(now) = self.job(serial).map(|job| (job.state, job.at)) else { return };
        match now {
            (State::Delayed, due) if before != Some(now) => self.record(serial, Event::Delayed.at(due)),
            (State::Ready, _) if before.is_none_or(|(state, _)| state != State::Ready) => {
                self.record(serial, Event::Ready.plain());
            }
            _ => {}
        }
    }

    /// The number of the last event, 0 before any.
    pub fn last_event(&self) -> u64 {
        self.diary.events.last()
    }

    /// When the next event is due though nobody touches the queue.
    pub fn next_event(&self) -> Option<UnixMs> {
        if self.flows.has_work() {
            return Some(self.clock);
        }
        let first = |state| self.first(state).map(|(at, _)| at);
        let forgotten = |state| Some(first(state)?.saturating_add(self.keep(state).age));
        let times = [
            first(State::Active),
            first(State::Delayed),
            self.ends.expiring.first().map(|(at, _)| *at),
            self.ends.leaving.first().map(|(at, _)| *at),
            self.keys.ends.first().map(|(at, _)| *at),
            forgotten(State::Done),
            forgotten(State::Dead),
            self.next_run(),
        ];
        times.into_iter().flatten().min()
    }
}
