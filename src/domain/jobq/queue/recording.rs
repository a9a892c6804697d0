//! Where the queue writes down what happens in it, and EVENTS, which shows it.

use crate::domain::jobq::history::event::{Event, What, Whom};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;

impl Queue {
    /// Writes down what happens to a job that is there.
    pub(crate) fn record(&mut self, serial: Serial, what: What<'_>) {
        if let Some(job) = self.jobs.get(serial) {
            self.diary.add(self.config.events, self.clock, Whom::job(serial, job.id()), what);
        }
    }

    /// Writes down what happens to the queue.
    pub(crate) fn record_of_queue(&mut self, what: What<'_>) {
        self.diary.add(self.config.events, self.clock, Whom::Queue, what);
    }

    /// Writes down that a job has come to be ready or delayed, where it was not so before.
    pub(crate) fn record_if_moved(&mut self, serial: Serial, before: Option<(State, UnixMs)>) {
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
