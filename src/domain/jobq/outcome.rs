//! RESULT: what became of a job, for those who ask and for those who wait for it.

use super::job::{Job, State};
use super::queue::{Queue, Serial};
use super::view::job;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// Where a job is, and its result or (dead) its last error.
pub type Outcome<'q> = (State, Option<&'q [u8]>);

/// What became of a job.
pub fn outcome<'q>(queue: Option<&'q Queue>, id: &[u8], now: UnixMs) -> Result<Outcome<'q>, Refusal> {
    let view = job(queue, id, now)?;
    let value = match view.state {
        State::Dead => view.error,
        state => view.job.said_last(state),
    };
    Ok((view.state, value))
}

/// As [`outcome`], for one who waits for the job of that id with that [subject](Queue::subject): a job that has ended
/// is seen as long as it is there, however short it is kept. `None` when it has gone, or the id is another's.
pub fn outcome_of<'q>(
    queue: Option<&'q Queue>,
    id: &[u8],
    subject: Serial,
    now: UnixMs,
) -> Option<Outcome<'q>> {
    let (_, job) = queue?.find(id).filter(|(serial, _)| *serial == subject)?;
    if job.state.is_end() {
        return Some((job.state, job.said_last(job.state)));
    }
    outcome(queue, id, now).ok()
}

impl Job {
    /// The result of one that is done, the last error of one that is dead.
    fn said_last(&self, state: State) -> Option<&[u8]> {
        match state {
            State::Done => self.result(),
            State::Dead => self.error(),
            _ => None,
        }
    }
}

impl Queue {
    /// When a job may end, or go, though nobody touches the queue.
    pub fn may_end_at(&self, subject: Serial) -> Option<UnixMs> {
        let job = self.job(subject)?;
        match job.state {
            State::Active => Some(job.at),
            State::Ready | State::Delayed => job.expires(),
            State::Done | State::Dead => None,
            // With another one that it waits for.
            State::Blocked if self.flows.has_work() => Some(self.clock),
            State::Blocked => {
                let lapses = self.first(State::Active).map(|(at, _)| at);
                let expires = self.ends.expiring.first().map(|(at, _)| *at);
                [lapses, expires, self.next_gone()].into_iter().flatten().min()
            }
        }
    }
}
