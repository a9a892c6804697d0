//! POP: jobs that are ready, each with a lease and a fencing token.

use crate::domain::decision::Decision;
use crate::domain::jobq::effect::{Change, Effect, Grant, Grants};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::admission::rate_effect;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::{MAX_JOBS_PER_CALL, MAX_REPLY_BYTES};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use smallvec::SmallVec;
use std::borrow::Cow;

/// The most jobs that a POP looks at while expired jobs wait for their removal.
const SCAN_LIMIT: usize = 5_000;

/// The most jobs of groups that one POP takes. Most of them belong to different groups, and finding
/// a group costs time that the server's thread cannot spare.
const MAX_GROUPED_JOBS: usize = 500;

/// A POP of one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pop<'a> {
    /// 1 to 1,000.
    pub count: usize,
    /// In milliseconds, for jobs that do not say themselves.
    pub lease: Option<u64>,
    /// The name that its worker goes by.
    pub worker: Option<&'a [u8]>,
    /// How many bytes of payload the queues before it have left in the same call. Without them the
    /// first job is popped whatever its size.
    pub bytes_left: Option<usize>,
}

/// One job of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popped<'q> {
    pub id: JobId<'q>,
    pub token: u64,
    pub payload: Cow<'q, [u8]>,
    pub attempt: u32,
    pub deadline: UnixMs,
    pub name: Option<Cow<'q, [u8]>>,
    pub group: Option<Cow<'q, [u8]>>,
    pub meta: Option<Cow<'q, [u8]>>,
    /// What an earlier run reported last.
    pub progress: Option<Cow<'q, [u8]>>,
}

impl Popped<'_> {
    /// Copies the answer out of the queue, so that it can be kept.
    pub fn into_owned(self) -> Popped<'static> {
        let owned = |part: Cow<'_, [u8]>| Cow::Owned(part.into_owned());
        Popped {
            id: self.id.into_owned(),
            payload: owned(self.payload),
            name: self.name.map(owned),
            group: self.group.map(owned),
            meta: self.meta.map(owned),
            progress: self.progress.map(owned),
            ..self
        }
    }
}

/// What a POP answers: mostly one job, which needs no allocation.
pub type PoppedJobs<'q> = SmallVec<[Popped<'q>; 1]>;

/// Decides a POP of a queue that has advanced to `now`: the first of the line, as many as the
/// queue's concurrency and rate leave room for. A queue that is paused hands out nothing.
pub fn decide_pop<'q>(
    queue: Option<&'q Queue>,
    pop: &Pop<'_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<PoppedJobs<'q>, Effect> {
    let Some(queue) = queue else { return Decision::answer(PoppedJobs::new()) };
    // Above every token this queue has seen, and by the server's clock, not the queue's: all
    // families share one token clock.
    let first_token = tokens.next(now).max(queue.highest_token + 1);
    let now = queue.clamp(now);
    let mut grants = Grants::new();
    let mut popped = PoppedJobs::new();
    let mut bytes = 0;
    let Ok(room) = queue.pop_capacity(now) else { return Decision::answer(popped) };
    let expired = queue.first_expired(now).is_some();
    let mut grouped = 0;
    let ready = queue.fair_order().take(SCAN_LIMIT);
    let ready = ready.filter(|serial| !expired || !queue.has_expired(*serial, now));
    let most = pop.count.min(MAX_JOBS_PER_CALL).min(room);
    let waiting = most.min(queue.ready.len());
    grants.reserve(waiting);
    popped.reserve(waiting);
    let ready = ready.take(most);
    for (token, serial) in (first_token..).zip(ready) {
        let Some(job) = queue.job(serial) else { continue };
        bytes += job.payload().len();
        grouped += usize::from(job.group().is_some());
        if grouped > MAX_GROUPED_JOBS {
            break;
        }
        let is_first = grants.is_empty() && pop.bytes_left.is_none();
        if bytes > pop.bytes_left.unwrap_or(MAX_REPLY_BYTES) && !is_first {
            break;
        }
        let lease = if job.lease() > 0 { job.lease() } else { pop.lease.unwrap_or(queue.config.lease) };
        let deadline = now + lease;
        grants.push(Grant { serial, token, deadline });
        popped.push(Popped {
            id: job.shown_id(serial),
            token,
            payload: Cow::Borrowed(job.payload()),
            attempt: job.attempt(),
            deadline,
            name: job.name().map(Cow::Borrowed),
            group: job.group().map(|group| Cow::Borrowed(&group[..])),
            meta: job.meta().map(Cow::Borrowed),
            progress: job.progress().map(Cow::Borrowed),
        });
    }
    if grants.is_empty() {
        return Decision::answer(popped);
    }
    let rate = rate_effect(queue, grants.len(), now);
    let worker = pop.worker.map(Box::from);
    Decision::change(popped, Effect { now, change: Change::Pop { grants, rate, worker } })
}
