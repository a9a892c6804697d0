//! EVENTS, which may wait for the next one.

use std::ffi::CStr;

use crate::domain::jobq;
use crate::domain::jobq::{Event, EventView, NEXT_EVENT, Queue};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::module_api::command::Call;
use crate::module_api::reply::Reply;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, unknown};
use crate::runtime::blocking;
use crate::runtime::blocking::{BlockingRead, Look};

/// The highest number of an event that can be given.
const MAX_EVENT_NUMBER: u64 = (1 << 53) - 1;
/// How many events are shown unless COUNT says otherwise, and at most.
const DEFAULT_COUNT: usize = 100;
const MAX_COUNT: u64 = 1_000;

/// `JOBQ.EVENTS key since [COUNT n] [BLOCK d]`
pub struct Events;

impl Handler for Events {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let key = words.name("key")?;
        let mut request =
            EventsRequest { since: words.integer("since", 0, MAX_EVENT_NUMBER)?, count: DEFAULT_COUNT };
        let mut block = None;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"COUNT" => request.count = words.integer("COUNT", 1, MAX_COUNT)? as usize,
                b"BLOCK" => block = Some(words.duration("BLOCK")?),
                _ => return Err(unknown(&option)),
            }
        }
        blocking::answer(call, key, Look(request), block)
    }
}

/// A reader that waits for the next events.
struct EventsRequest {
    since: u64,
    count: usize,
}

impl BlockingRead for EventsRequest {
    type Value = Queue;
    type Answer<'q> = Vec<EventView<'q>>;

    fn subject(&self) -> u64 {
        NEXT_EVENT
    }

    fn look<'q>(&self, queue: Option<&'q Queue>, _: UnixMs) -> Vec<EventView<'q>> {
        jobq::events(queue, self.since, self.count)
    }

    fn is_empty(events: &Vec<EventView<'_>>) -> bool {
        events.is_empty()
    }

    fn into_owned(events: Vec<EventView<'_>>) -> Vec<EventView<'static>> {
        events.into_iter().map(EventView::into_owned).collect()
    }

    fn next_due(&self, queue: &Queue, _: UnixMs) -> Option<UnixMs> {
        queue.next_event()
    }

    fn reply(&self, events: &Vec<EventView<'_>>, reply: Reply<'_>) {
        reply.array(events.len());
        for event in events {
            reply.array(5);
            reply.uint(event.seq);
            reply.uint(event.at);
            reply.bulk(event_name(event.event));
            reply.bulk_or_null(event.id.as_deref());
            reply.bulk_or_null(event.detail.as_deref());
        }
    }
}

/// The first word of a keyspace event about a queue.
const FAMILY: &str = "jobq.";

fn event_name(event: Event) -> &'static [u8] {
    &keyspace_event(event).to_bytes()[FAMILY.len()..]
}

/// The keyspace event: the name with that of the family before it.
pub(crate) fn keyspace_event(event: Event) -> &'static CStr {
    match event {
        Event::Pushed => c"jobq.pushed",
        Event::Blocked => c"jobq.blocked",
        Event::Ready => c"jobq.ready",
        Event::Delayed => c"jobq.delayed",
        Event::Popped => c"jobq.popped",
        Event::Done => c"jobq.done",
        Event::Failed => c"jobq.failed",
        Event::Released => c"jobq.released",
        Event::Stalled => c"jobq.stalled",
        Event::Dead => c"jobq.dead",
        Event::Expired => c"jobq.expired",
        Event::CancelRequested => c"jobq.cancel_requested",
        Event::Cancelled => c"jobq.cancelled",
        Event::Purged => c"jobq.purged",
        Event::Removed => c"jobq.removed",
        Event::Replaced => c"jobq.replaced",
        Event::Updated => c"jobq.updated",
        Event::Progress => c"jobq.progress",
        Event::Redriven => c"jobq.redriven",
        Event::Paused => c"jobq.paused",
        Event::Resumed => c"jobq.resumed",
        Event::Configured => c"jobq.configured",
        Event::Scheduled => c"jobq.scheduled",
        Event::Unscheduled => c"jobq.unscheduled",
        Event::GroupPaused => c"jobq.group_paused",
        Event::GroupResumed => c"jobq.group_resumed",
        Event::GroupConfigured => c"jobq.group_configured",
    }
}
