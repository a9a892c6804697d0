//! POP: jobs that are ready, each with a lease and a fencing token.

use crate::domain::decision::Decision;
use crate::domain::jobq::decide::linger::{Found, Linger, eligible, find_group, find_jobs, first_group};
use crate::domain::jobq::effect::{Change, Effect, Grant, Grants, GroupCharge};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::admission::{more_starts_at, rate_effect};
use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::ready::group_runs::GroupRun;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::shared_rate::RateCharge;
use crate::domain::jobq::{MAX_GROUPED_JOBS, MAX_JOBS_PER_CALL, MAX_REPLY_BYTES};
use crate::domain::ratelimit::Budget;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A POP of one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pop<'a> {
    /// 1 to 1,000.
    pub count: usize,
    /// In milliseconds, for jobs that do not say themselves.
    pub lease: Option<u64>,
    /// The name that its worker goes by.
    pub worker: Option<&'a [u8]>,
    /// Waits for `count` jobs, for up to so many milliseconds since the first of them became ready.
    pub linger: Option<u64>,
    /// All jobs are of one group and count as one run of it.
    pub grouped: bool,
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

impl Pop<'_> {
    fn linger(&self) -> Option<Linger> {
        Some(Linger { count: self.count, length: self.linger?, grouped: self.grouped })
    }
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
    decide(queue, pop, None, now, tokens).map(|popped| popped.jobs)
}

/// A POP with RATE: the subject's key, and what is left of its limits.
#[derive(Debug)]
pub struct PopRate<'r, 'a, 's> {
    pub subject: &'r [u8],
    pub budget: &'r mut Budget<'a, 's>,
}

/// What a POP with RATE answers.
#[derive(Debug, Default)]
pub struct RatedPop<'q> {
    pub jobs: PoppedJobs<'q>,
    /// The cost of the first job in line, which the limits do not admit now: nothing was popped.
    pub held_back: Option<u64>,
}

/// Like [`decide_pop`], but it ends before the first job whose cost the limits do not admit. The
/// budget is what is left then; its effect belongs to this one.
pub fn decide_pop_at_rate<'q>(
    queue: Option<&'q Queue>,
    pop: &Pop<'_>,
    rate: PopRate<'_, '_, '_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<RatedPop<'q>, Effect> {
    let charge = RateCharge { subject: rate.subject.into(), taken: rate.budget.limits() };
    let admits = &mut |cost| rate.budget.try_take(cost);
    decide(queue, pop, Some(Admission { admits, charge: Arc::new(charge) }), now, tokens)
}

/// Whether there is a job that a POP at `now` would take, whatever its RATE.
pub fn can_pop(queue: Option<&Queue>, pop: &Pop<'_>, now: UnixMs) -> bool {
    let Some(queue) = queue else { return false };
    let now = queue.clamp(now);
    let Ok(room) = queue.pop_capacity(now) else { return false };
    let most = pop.count.min(MAX_JOBS_PER_CALL).min(room);
    if pop.grouped {
        return group_to_take(queue, pop, most, now).is_ok();
    }
    match pop.linger() {
        Some(linger) => find_jobs(queue, &linger, most, now).is_ok(),
        None => eligible(queue, &mut queue.serving_order(now), now).next().is_some(),
    }
}

/// What the limits of a RATE admit.
struct Admission<'r> {
    /// Takes a cost of the limits if it fits.
    admits: &'r mut dyn FnMut(u64) -> bool,
    charge: Arc<RateCharge>,
}

fn decide<'q>(
    queue: Option<&'q Queue>,
    pop: &Pop<'_>,
    admission: Option<Admission<'_>>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Decision<RatedPop<'q>, Effect> {
    let nothing = || Decision::answer(RatedPop::default());
    let Some(queue) = queue else { return nothing() };
    // Above every token this queue has seen, and by the server's clock, not the queue's: all
    // families share one token clock.
    let first_token = tokens.next(now).max(queue.highest_token + 1);
    let now = queue.clamp(now);
    let Ok(room) = queue.pop_capacity(now) else { return nothing() };
    let most = pop.count.min(MAX_JOBS_PER_CALL).min(room);
    if pop.grouped {
        return decide_grouped(queue, pop, admission, most, first_token, now);
    }
    if pop.linger().is_some_and(|linger| find_jobs(queue, &linger, most, now).is_err()) {
        return nothing();
    }
    let mut hand_out = HandOut::new(queue, pop, most.min(queue.ready.len()), first_token, now);
    hand_out.admission = admission;
    for serial in eligible(queue, &mut queue.serving_order(now), now).take(most) {
        if !hand_out.add(serial) {
            break;
        }
    }
    hand_out.decision(None)
}

/// The jobs that a POP hands out so far.
struct HandOut<'q, 'p, 'r> {
    queue: &'q Queue,
    pop: &'p Pop<'p>,
    admission: Option<Admission<'r>>,
    /// The cost of the first job, which the limits do not admit.
    held_back: Option<u64>,
    now: UnixMs,
    next_token: u64,
    bytes: usize,
    /// How many of them belong to groups.
    of_groups: usize,
    grants: Grants,
    popped: PoppedJobs<'q>,
}

impl<'q, 'p> HandOut<'q, 'p, '_> {
    #[inline]
    fn new(queue: &'q Queue, pop: &'p Pop<'p>, expected: usize, next_token: u64, now: UnixMs) -> Self {
        let (mut grants, mut popped) = (Grants::new(), PoppedJobs::new());
        grants.reserve(expected);
        popped.reserve(expected);
        let (admission, held_back) = (None, None);
        HandOut { queue, pop, admission, held_back, now, next_token, bytes: 0, of_groups: 0, grants, popped }
    }

    /// Adds a job; false if it is too much for one answer, or for the limits of RATE.
    #[inline]
    fn add(&mut self, serial: Serial) -> bool {
        let (queue, pop) = (self.queue, self.pop);
        let Some(job) = queue.job(serial) else { return true };
        self.bytes += job.payload().len();
        self.of_groups += usize::from(job.group().is_some());
        if self.of_groups > MAX_GROUPED_JOBS && !pop.grouped {
            return false;
        }
        let is_first = self.grants.is_empty() && pop.bytes_left.is_none();
        if self.bytes > pop.bytes_left.unwrap_or(MAX_REPLY_BYTES) && !is_first {
            return false;
        }
        if let Some(admission) = &mut self.admission
            && !(admission.admits)(job.cost())
        {
            self.held_back = self.grants.is_empty().then(|| job.cost());
            return false;
        }
        let lease = if job.lease() > 0 { job.lease() } else { pop.lease.unwrap_or(queue.config.lease) };
        let deadline = self.now + lease;
        let token = self.next_token;
        self.next_token += 1;
        self.grants.push(Grant { serial, token, deadline });
        self.popped.push(Popped {
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
        true
    }

    /// What the groups use of their rates.
    fn group_charges(&self) -> Vec<GroupCharge> {
        if self.queue.config.group_rate.is_none() {
            return Vec::new();
        }
        let mut counts: BTreeMap<&[u8], (usize, u64)> = BTreeMap::new();
        for (nth, job) in self.popped.iter().enumerate() {
            if let Some(group) = job.group.as_deref() {
                counts.entry(group).or_insert((nth, 0)).1 += 1;
            }
        }
        let charge = |(group, (nth, jobs)): (&[u8], (usize, u64))| {
            let effect = self.queue.group_rate_effect(group, jobs, self.now)?;
            Some(GroupCharge { nth, effect: Box::new(effect) })
        };
        counts.into_iter().filter_map(charge).collect()
    }

    #[inline]
    fn decision(self, batch: Option<BatchId>) -> Decision<RatedPop<'q>, Effect> {
        if self.grants.is_empty() {
            return Decision::answer(RatedPop { jobs: self.popped, held_back: self.held_back });
        }
        let rate = rate_effect(self.queue, self.grants.len(), self.now);
        let group_rates = self.group_charges();
        let worker = self.pop.worker.map(Box::from);
        let charge = self.admission.map(|admission| admission.charge);
        let change = Change::Pop { grants: self.grants, rate, worker, batch, group_rates, charge };
        let popped = RatedPop { jobs: self.popped, held_back: None };
        Decision::change(popped, Effect { now: self.now, change })
    }
}

/// The jobs of the first group whose turn it is, with LINGER of the first that has enough of them
/// or whose oldest has waited for long enough.
fn decide_grouped<'q>(
    queue: &'q Queue,
    pop: &Pop<'_>,
    admission: Option<Admission<'_>>,
    most: usize,
    first_token: u64,
    now: UnixMs,
) -> Decision<RatedPop<'q>, Effect> {
    let Ok(run) = group_to_take(queue, pop, most, now) else {
        return Decision::answer(RatedPop::default());
    };
    let mut hand_out = HandOut::new(queue, pop, run.serials.len(), first_token, now);
    hand_out.admission = admission;
    for serial in &run.serials {
        if !hand_out.add(*serial) {
            break;
        }
    }
    let is_batch = run.is_grouped && (run.batch.is_some() || hand_out.grants.len() > 1);
    hand_out.decision(is_batch.then(|| run.batch.unwrap_or(first_token)))
}

/// The group of which a GROUPED POP takes jobs.
fn group_to_take(queue: &Queue, pop: &Pop<'_>, most: usize, now: UnixMs) -> Found<GroupRun> {
    match pop.linger() {
        Some(linger) => find_group(queue, &linger, most, now),
        None => first_group(queue, most, now).ok_or(None),
    }
}

/// When a POP that found nothing is to look again without a command: when something in the queue is
/// due, or the jobs that it lingers for have waited for long enough.
pub fn next_pop_due(queue: &Queue, pop: &Pop<'_>, now: UnixMs) -> Option<UnixMs> {
    let due = queue.next_due(now);
    let Some(linger) = pop.linger() else { return due };
    let now = queue.clamp(now);
    let Ok(room) = queue.pop_capacity(now) else { return due };
    let most = pop.count.min(MAX_JOBS_PER_CALL).min(room);
    let found = match pop.grouped {
        true => find_group(queue, &linger, most, now).map(drop),
        false => find_jobs(queue, &linger, most, now),
    };
    let again = found.map_or_else(|again| again, |()| Some(now));
    // A batch that the rate cuts short is full when more of it may start.
    let is_cut_short = most < pop.count && queue.ready.len() > most;
    let more = if is_cut_short { more_starts_at(queue, now) } else { None };
    due.into_iter().chain(again).chain(more).min()
}
