//! What a run of a handler means for its job.

use std::time::Duration;

/// What the queue is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// JOBQ.ACK with the result.
    Done(Vec<u8>),
    /// JOBQ.FAIL: retried after `delay` or by the job's backoff, while it has retries left.
    Retry { failure: Failure, delay: Option<Duration> },
    /// JOBQ.FAIL … DEAD.
    Dead(Failure),
    /// JOBQ.RELEASE: the job was not at fault; its attempt is not charged.
    Release { delay: Duration, progress: Option<Vec<u8>> },
    /// Nothing: the job is somebody else's, or returns when its lease has run out.
    Abandoned,
}

/// Why a run failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    pub error: String,
    /// The group of errors that it belongs to.
    pub kind: Option<String>,
    /// What the next run can go on from.
    pub progress: Option<Vec<u8>>,
}

impl Failure {
    pub fn of(error: impl Into<String>) -> Self {
        Failure { error: error.into(), ..Failure::default() }
    }
}

/// The first line up to its first colon: `exit 3` of `exit 3: no route`.
pub fn beginning(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    line.split(':').next().unwrap_or_default().trim().to_owned()
}

impl Verdict {
    /// Retried by the job's own backoff.
    pub fn retry(error: impl Into<String>) -> Self {
        Verdict::Retry { failure: Failure::of(error), delay: None }
    }

    pub fn dead(error: impl Into<String>) -> Self {
        Verdict::Dead(Failure::of(error))
    }

    /// Back to its place at once.
    pub fn release() -> Self {
        Verdict::Release { delay: Duration::ZERO, progress: None }
    }

    /// Leaves out what is not needed to settle; whether there was any.
    pub fn drop_extras(&mut self) -> bool {
        match self {
            Verdict::Retry { failure, .. } | Verdict::Dead(failure) => {
                failure.kind.take().is_some() | failure.progress.take().is_some()
            }
            Verdict::Release { progress, .. } => progress.take().is_some(),
            Verdict::Done(_) | Verdict::Abandoned => false,
        }
    }

    /// For logs.
    pub fn outcome(&self) -> &'static str {
        match self {
            Verdict::Done(_) => "done",
            Verdict::Retry { .. } => "failed",
            Verdict::Dead(_) => "dead",
            Verdict::Release { .. } => "released",
            Verdict::Abandoned => "abandoned",
        }
    }
}
