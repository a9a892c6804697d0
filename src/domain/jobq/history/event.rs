//! The events of a queue and the subjects they happen to.

use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;

/// What happened: to a job, or to the queue itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Ready, or (with a time) delayed until then.
    Pushed,
    /// It waits for other jobs.
    Blocked,
    Ready,
    /// Until the time.
    Delayed,
    /// With the name of the worker.
    Popped,
    Done,
    /// With the error. What becomes of the job is the next event.
    Failed,
    Released,
    /// Its lease ran out: it is ready, unless the next event says otherwise.
    Stalled,
    /// With what it died of.
    Dead,
    /// It waited too long, and is gone.
    Expired,
    CancelRequested,
    /// It is gone, as are those of the next three.
    Cancelled,
    Purged,
    /// It was kept for as long as it was to be.
    Removed,
    /// By a push with the same UNIQUE key.
    Replaced,
    Updated,
    /// With what its worker said.
    Progress,
    Redriven,
    /// The queue, until the time if there is one.
    Paused,
    Resumed,
    Configured,
    /// With the name of the schedule.
    Scheduled,
    Unscheduled,
    /// With the name of the group, as the next two.
    GroupPaused,
    GroupResumed,
    GroupConfigured,
}

impl Event {
    pub const ALL: [Event; 27] = [
        Event::Pushed,
        Event::Blocked,
        Event::Ready,
        Event::Delayed,
        Event::Popped,
        Event::Done,
        Event::Failed,
        Event::Released,
        Event::Stalled,
        Event::Dead,
        Event::Expired,
        Event::CancelRequested,
        Event::Cancelled,
        Event::Purged,
        Event::Removed,
        Event::Replaced,
        Event::Updated,
        Event::Progress,
        Event::Redriven,
        Event::Paused,
        Event::Resumed,
        Event::Configured,
        Event::Scheduled,
        Event::Unscheduled,
        Event::GroupPaused,
        Event::GroupResumed,
        Event::GroupConfigured,
    ];

    /// Without a detail.
    pub(crate) fn plain<'a>(self) -> EventWithDetail<'a> {
        (self, Detail::None)
    }

    pub(crate) fn at_time<'a>(self, time: UnixMs) -> EventWithDetail<'a> {
        (self, Detail::Time(time))
    }

    pub(crate) fn with_text(self, text: Option<&[u8]>) -> EventWithDetail<'_> {
        (self, text.map_or(Detail::None, Detail::Text))
    }

    pub(crate) fn is_of_queue(self) -> bool {
        use Event::{Configured, Paused, Resumed};
        matches!(self, Paused | Resumed | Configured) || self.has_name()
    }

    /// Whether it is one of a schedule or group, whose name it has.
    pub(crate) fn has_name(self) -> bool {
        use Event::{GroupConfigured, GroupPaused, GroupResumed, Scheduled, Unscheduled};
        matches!(self, Scheduled | Unscheduled | GroupPaused | GroupResumed | GroupConfigured)
    }

    pub(crate) fn may_have(self, detail: Detail<'_>) -> bool {
        use Event::{Dead, Delayed, Failed, Paused, Popped, Progress, Pushed};
        match detail {
            Detail::None => !matches!(self, Delayed | Progress) && !self.has_name(),
            Detail::Time(_) => matches!(self, Pushed | Delayed | Paused),
            Detail::Text(_) => matches!(self, Popped | Failed | Dead | Progress) || self.has_name(),
        }
    }
}

/// What an event says beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail<'a> {
    None,
    Time(UnixMs),
    Text(&'a [u8]),
}

pub(crate) type EventWithDetail<'a> = (Event, Detail<'a>);

/// What it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventSubject<'a> {
    Queue,
    /// A job with an automatic id, and the time of its push.
    Serial(Serial, UnixMs),
    /// A job with an id that its pusher chose.
    Id(&'a [u8]),
}

impl<'a> EventSubject<'a> {
    pub fn job(serial: Serial, job: BorrowedJob<'a>) -> Self {
        job.id().map_or(EventSubject::Serial(serial, job.created), EventSubject::Id)
    }
}
