//! Logging of events, and when the next one is due.

use crate::domain::jobq::history::event::{Event, EventSubject, EventWithDetail};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;

impl Queue {
    /// The kinds of events since the last call.
    pub fn take_event_kinds(&mut self) -> impl Iterator<Item = Event> + use<> {
        self.history.take_kinds()
    }

    /// Logs an event of a job that exists.
    pub(crate) fn log_event(&mut self, serial: Serial, what: EventWithDetail<'_>) {
        if let Some(job) = self.jobs.get(serial) {
            self.history.add(self.config.events, self.clock, EventSubject::job(serial, job), what);
        }
    }

    /// Logs an event of the queue itself.
    pub(crate) fn log_queue_event(&mut self, what: EventWithDetail<'_>) {
        self.history.add(self.config.events, self.clock, EventSubject::Queue, what);
    }

    /// Logs that a job became ready or delayed, unless it was so before.
    pub(crate) fn log_if_moved(&mut self, serial: Serial, before: Option<(State, UnixMs)>) {
        let Some(now) = self.job(serial).map(|job| (job.state, job.at)) else { return };
        match now {
            (State::Delayed, due) if before != Some(now) => {
                self.log_event(serial, Event::Delayed.at_time(due))
            }
            (State::Ready, _) if before.is_none_or(|(state, _)| state != State::Ready) => {
                self.log_event(serial, Event::Ready.plain());
            }
            _ => {}
        }
    }

    /// The number of the last event, 0 before any.
    pub fn last_event(&self) -> u64 {
        self.history.events.last()
    }

    /// The time of the next event if no command touches the queue.
    pub fn next_event(&self) -> Option<UnixMs> {
        if self.dependency_graph.has_work() {
            return Some(self.clock);
        }
        let first = |state| self.first(state).map(|(at, _)| at);
        let forgotten = |state| Some(first(state)?.saturating_add(self.keep(state).age));
        let times = [
            first(State::Active),
            first(State::Delayed),
            self.deadlines.expiring.first().map(|(at, _)| *at),
            self.deadlines.retained.first().map(|(at, _)| *at),
            self.keys.ends.first().map(|(at, _)| *at),
            forgotten(State::Done),
            forgotten(State::Dead),
            self.next_run(),
        ];
        times.into_iter().flatten().min()
    }
}
