//! RESULT: the outcome of a job, for readers and for waiters.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::view::job_and_stats::job;
use crate::domain::refusal::Refusal;
use crate::domain::time::{SECOND, UnixMs};

/// How often to check whether a blocked job ended because another job did.
const RECHECK_MS: u64 = SECOND;

/// Where a job is, and its result or (dead) its last error.
pub type JobResult<'q> = (State, Option<&'q [u8]>);

/// Identifies the job a client waits for. Serial and creation time together tell it apart from a
/// later job with the same ID, even if the queue was deleted and its serials restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRef {
    serial: Serial,
    created: UnixMs,
}

impl JobRef {
    fn of(serial: Serial, job: BorrowedJob<'_>) -> Self {
        JobRef { serial, created: job.created }
    }

    /// The subject of its notifications (see `Value::take_changed_subjects`).
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

/// Like [`job_result`], but only for this very job, and a finished job is reported until it is
/// physically removed, even if its retention has passed. Returns `None` if it is gone or its ID
/// belongs to another job now.
pub fn result_of<'q>(
    queue: Option<&'q Queue>,
    id: &[u8],
    job_ref: JobRef,
    now: UnixMs,
) -> Option<JobResult<'q>> {
    let (_, job) = queue?.find(id).filter(|(serial, job)| JobRef::of(*serial, *job) == job_ref)?;
    if job.state.is_end() {
        return Some((job.state, job.result_or_error(job.state)));
    }
    job_result(queue, id, now).ok()
}

impl<'j> BorrowedJob<'j> {
    /// The result of a done job, the last error of a dead job.
    fn result_or_error(self, state: State) -> Option<&'j [u8]> {
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

    /// When to check again whether a job has ended or gone without a command touching the queue. If
    /// a change of the job moves this forward, its waiters are notified (see
    /// `Value::take_changed_subjects`).
    pub fn may_end_at(&self, job_ref: JobRef, now: UnixMs) -> Option<UnixMs> {
        let job = self.job(job_ref.serial)?;
        match job.state {
            State::Active => Some(job.at),
            State::Ready | State::Delayed => job.expires(),
            State::Done | State::Dead => None,
            // It may end with a job that it waits for, directly or not. No notification says which
            // of those jobs are popped meanwhile.
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
