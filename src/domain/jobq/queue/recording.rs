//! Where the queue writes down what happens in it, and EVENTS, which shows it.

use crate::domain::jobq::history::event::{Event, EventSubject, EventWithDetail};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;

impl Queue {
    /// Writes down what happens to a job that is there.
    pub(crate) fn log_event(&mut self, serial: Serial, what: EventWithDetail<'_>) {
        if let Some(job) = self.jobs.get(serial) {
            self.history.add(self.config.events, self.clock, EventSubject::job(serial, job.id()), what);
        }
    }

    /// Writes down what happens to the queue.
    pub(crate) fn log_queue_event(&mut self, what: EventWithDetail<'_>) {
        self.history.add(self.config.events, self.clock, EventSubject::Queue, what);
    }

    /// Writes down that a job has come to be ready or delayed, where it was not so before.
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

    /// When the next event is due though nobody touches the queue.
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
