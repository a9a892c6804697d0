//! What a POP asks for, and its answer.

use crate::domain::jobq;
use crate::domain::jobq::{Popped, Queue};
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::blocking::WaitFor;
use crate::module_api::context::Ctx;
use crate::module_api::reply::Reply;
use crate::module_api::server_string::ServerStr;

use crate::runtime::blocking::{Decided, Waitable};
use crate::runtime::commit;
use crate::runtime::commit::{ReplicateAs, Write};

/// One job of the answer.
pub(crate) fn reply_row(job: &Popped<'_>, queue: ServerStr<'_>, reply: Reply<'_>) {
    reply.array(10);
    reply.bulk(&job.id);
    reply.uint(job.token);
    reply.bulk(&job.payload);
    reply.uint(job.attempt.into());
    reply.uint(job.deadline);
    reply.bulk(queue.bytes());
    reply.bulk_or_null(job.name.as_deref());
    reply.bulk_or_null(job.group.as_deref());
    reply.bulk_or_null(job.meta.as_deref());
    reply.bulk_or_null(job.progress.as_deref());
}

/// A POP that may wait. A waiter gets jobs from one of its queues; only the first attempt takes
/// jobs from several.
#[derive(Default)]
pub(crate) struct PopRequest {
    pub(crate) count: usize,
    pub(crate) lease: Option<u64>,
    pub(crate) linger: Option<u64>,
    pub(crate) grouped: bool,
    pub(crate) worker: Option<Box<[u8]>>,
    pub(crate) replicate_as: ReplicateAs,
}

impl PopRequest {
    pub(crate) fn pop(&self) -> jobq::Pop<'_> {
        jobq::Pop {
            count: self.count,
            lease: self.lease,
            linger: self.linger,
            grouped: self.grouped,
            worker: self.worker.as_deref(),
            bytes_left: None,
        }
    }

    /// Tells apart what makes one POP wait longer than another: COUNT, LINGER and GROUPED. `None`
    /// without LINGER.
    pub(crate) fn line(&self) -> Option<u64> {
        self.linger.map(|linger| linger << 11 | (self.count as u64) << 1 | u64::from(self.grouped))
    }

    /// Whether all jobs of one answer are of one queue.
    pub(crate) fn takes_from_one_queue(&self) -> bool {
        self.grouped || self.linger.is_some()
    }

    pub(crate) fn into_owned(jobs: jobq::PoppedJobs<'_>) -> jobq::PoppedJobs<'static> {
        jobs.into_iter().map(Popped::into_owned).collect()
    }

    /// Gives jobs back that no client got.
    pub(crate) fn put_back(jobs: &jobq::PoppedJobs<'_>, ctx: Ctx<'_>, key: ServerStr<'_>) {
        for job in jobs {
            // The release is refused if the job has gone or was popped again: then there is nothing
            // to undo.
            let _ = commit::write_with::<Queue, _>(ctx, key, Write::without_serving(), |queue, now, _| {
                jobq::decide_release(queue, &job.id, job.token, 0, None, now)
            });
        }
    }
}

impl Waitable for PopRequest {
    type Value = Queue;
    type Answer<'q> = jobq::PoppedJobs<'q>;

    fn wait_for(&self) -> WaitFor {
        self.line().map_or(WaitFor::Turn, WaitFor::TurnOf)
    }

    fn decide<'q>(&self, queue: Option<&'q Queue>, now: UnixMs, tokens: &TokenClock) -> Decided<'q, Self> {
        Ok(jobq::decide_pop(queue, &self.pop(), now, tokens))
    }

    fn replicate_as(&self) -> ReplicateAs {
        self.replicate_as
    }

    fn is_empty(jobs: &jobq::PoppedJobs<'_>) -> bool {
        jobs.is_empty()
    }

    fn into_owned(jobs: jobq::PoppedJobs<'_>) -> jobq::PoppedJobs<'static> {
        PopRequest::into_owned(jobs)
    }

    fn next_due(&self, queue: &Queue, now: UnixMs) -> Option<UnixMs> {
        jobq::next_pop_due(queue, &self.pop(), now)
    }

    fn timeout_reply(
        &self,
        _: Option<&Self::Value>,
        _: UnixMs,
    ) -> Result<jobq::PoppedJobs<'static>, Refusal> {
        Ok(jobq::PoppedJobs::new())
    }

    fn reply(&self, jobs: &jobq::PoppedJobs<'_>, queue: ServerStr<'_>, reply: Reply<'_>) {
        reply.array(jobs.len());
        jobs.iter().for_each(|job| reply_row(job, queue, reply));
    }

    fn undo(&self, jobs: &jobq::PoppedJobs<'_>, ctx: Ctx<'_>, key: ServerStr<'_>) {
        PopRequest::put_back(jobs, ctx, key);
    }
}
