//! RESULT: what became of a job, for those who ask and for those who wait for it.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::view::job_and_stats::job;
use crate::domain::refusal::Refusal;
use crate::domain::time::{SECOND, UnixMs};

/// How often is looked whether a job that is blocked has ended with another one.
const RECHECK_MS: u64 = SECOND;

/// Where a job is, and its result or (dead) its last error.
pub type JobResult<'q> = (State, Option<&'q [u8]>);

/// A job that somebody waits for. One that gets the same id later is another, also in a queue that began anew and gives
/// the same serials again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRef {
    serial: Serial,
    created: UnixMs,
}

impl JobRef {
    fn of(serial: Serial, job: &Job) -> Self {
        JobRef { serial, created: job.created }
    }

    /// What news of it are about (see `Value::stirred`).
    pub fn subject(self) -> u64 {
        self.serial
    }
}

/// What became of a job.
pub fn job_result<'q>(queue: Option<&'q Queue>, id: &[u8], now: UnixMs) -> Result<JobResult<'q>, Refusal> {
    let view = job(queue, id, now)?;
    let value = match view.state {
        State::Dead => view.error,
        state => view.job.result_or_error(state),
    };
    Ok((view.state, value))
}

/// As [`job_result`], for one who waits for this job of that id: one that has ended is seen as long as it is there, however
/// short it is kept. `None` when it has gone, or the id is another's.
pub fn result_of<'q>(
    queue: Option<&'q Queue>,
    id: &[u8],
    job_ref: JobRef,
    now: UnixMs,
) -> Option<JobResult<'q>> {
    let (_, job) = queue?.find(id).filter(|(serial, job)| JobRef::of(*serial, job) == job_ref)?;
    if job.state.is_end() {
        return Some((job.state, job.result_or_error(job.state)));
    }
    job_result(queue, id, now).ok()
}

impl Job {
    /// The result of one that is done, the last error of one that is dead.
    fn result_or_error(&self, state: State) -> Option<&[u8]> {
        match state {
            State::Done => self.result(),
            State::Dead => self.error(),
            _ => None,
        }
    }
}

impl Queue {
    /// The job that has this id now, to wait for.
    pub fn job_ref(&self, id: &[u8]) -> Option<JobRef> {
        self.find(id).map(|(serial, job)| JobRef::of(serial, job))
    }

    /// When to look whether a job has ended, or gone, though nobody touches the queue. A change of the job itself that
    /// makes this sooner is told to those who wait (see `Value::stirred`).
    pub fn may_end_at(&self, job_ref: JobRef, now: UnixMs) -> Option<UnixMs> {
        let job = self.job(job_ref.serial)?;
        match job.state {
            State::Active => Some(job.at),
            State::Ready | State::Delayed => job.expires(),
            State::Done | State::Dead => None,
            // With another one that it waits for, be it through others. Which of them are popped meanwhile nobody tells.
            State::Blocked if self.dependency_graph.has_work() => Some(self.clock),
            State::Blocked => {
                let lapses = self.first(State::Active).map(|(at, _)| at);
                let expires = self.deadlines.expiring.first().map(|(at, _)| *at);
                let again = Some(self.clamp(now) + RECHECK_MS);
                [lapses, expires, self.next_dependency_removal(), again].into_iter().flatten().min()
            }
        }
    }
}
