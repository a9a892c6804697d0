//! EVENTS and SERIES, as they are shown.

use crate::domain::jobq::history::event::{Detail, Event, EventSubject};
use crate::domain::jobq::history::minute_counts::Minute;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job_id::{AutomaticId, JobId};
use crate::domain::time::{MINUTE, UnixMs};
use std::borrow::Cow;

/// One event, as EVENTS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView<'q> {
    /// Counts all events of the queue, from 1.
    pub seq: u64,
    pub at: UnixMs,
    pub event: Event,
    /// `None` is the queue itself.
    pub id: Option<JobId<'q>>,
    pub detail: Option<Cow<'q, [u8]>>,
}

impl EventView<'_> {
    /// Freed from the queue, so that it can be kept.
    pub fn into_owned(self) -> EventView<'static> {
        let detail = self.detail.map(|detail| Cow::Owned(detail.into_owned()));
        EventView { id: self.id.map(JobId::into_owned), detail, ..self }
    }
}

/// Returns up to `count` events after number `since`. Starts at the oldest kept event if `since`
/// was dropped, or lies in the future because it came from an earlier queue under this key.
pub fn events(queue: Option<&Queue>, since: u64, count: usize) -> Vec<EventView<'_>> {
    let Some(queue) = queue else { return Vec::new() };
    let events = queue.history.events.after(since).take(count);
    events
        .map(|entry| {
            let id = match entry.subject {
                EventSubject::Queue => None,
                EventSubject::Serial(serial, created) => {
                    Some(JobId::Automatic(AutomaticId::of(serial, created)))
                }
                EventSubject::Id(id) => Some(JobId::from(id)),
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

/// The minutes in which something happened, of the last `count` until now, the one that runs
/// included.
pub fn series(queue: Option<&Queue>, count: u64, now: UnixMs) -> Vec<Minute> {
    let Some(queue) = queue else { return Vec::new() };
    let first = (queue.clamp(now) / MINUTE + 1).saturating_sub(count) * MINUTE;
    let mut minutes = queue.history.series.minutes();
    minutes.retain(|minute| minute.start_ms() >= first);
    minutes
}

/// What happened in the last minute that is over.
pub fn last_minute(queue: Option<&Queue>, now: UnixMs) -> Minute {
    queue.map(|queue| queue.history.series.last_full(queue.clamp(now))).unwrap_or_default()
}

/// Subject ID for waiters on the next event. No job uses this ID.
pub const NEXT_EVENT: u64 = u64::MAX;
