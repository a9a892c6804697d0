//! Checks the fencing token of a job that a worker holds.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::refusal::{Code, Refusal, shown};

/// The job whose last token this is.
pub(crate) fn find_held_job<'a>(
    queue: Option<&'a Queue>,
    id: &[u8],
    token: u64,
) -> Result<(&'a Queue, Serial, BorrowedJob<'a>), Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no job '{}'", shown(id)));
    let queue = queue.ok_or_else(unknown)?;
    let (serial, job) = queue.find(id).ok_or_else(unknown)?;
    if job.token == token { Ok((queue, serial, job)) } else { Err(fenced_error("the token was superseded")) }
}

pub(crate) fn fenced_error(why: &str) -> Refusal {
    Refusal::new(Code::Fenced, why)
}
