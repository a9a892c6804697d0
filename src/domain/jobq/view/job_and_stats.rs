//! GET and STATS: a queue as it is now, without changing it.
//!
//! The views show what time has done to a job before a write has moved it. What follows from that
//! for its dependents is shown after a write has notified them.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::queue::admission::BlockedBy;
use crate::domain::jobq::queue::as_of::{STALL_ERROR, STALL_KIND, state_after_lease, state_at};
use crate::domain::jobq::ready::sorted_set::TimeIndex;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::config::Keep;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::{Totals, increment};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;
use std::collections::HashSet;

/// The most jobs of a state that STATS moves to the state they have by now. Jobs beyond them count
/// in their old state.
pub(crate) const SCAN_LIMIT: usize = 10_000;

/// The most jobs that GET names of those that a job waits for.
const MAX_SHOWN_PARENTS: usize = 1_000;

/// The most slot holders of a group that are looked at.
const HOLDER_SCAN_LIMIT: usize = 1_000;

/// What GET shows of a job.
#[derive(Debug)]
pub struct JobView<'a> {
    pub id: JobId<'a>,
    pub state: State,
    pub job: BorrowedJob<'a>,
    pub stalls: u32,
    /// Its own, or the queue's.
    pub backoff: &'a Backoff,
    /// When it is due, its lease ends, it became ready or ended, by state.
    pub at: UnixMs,
    /// Of the last failure.
    pub error: Option<&'a [u8]>,
    /// The KIND of the last failure.
    pub kind: Option<&'a [u8]>,
    /// The ids of the first jobs that it waits for; left out where many jobs are shown.
    pub waits_for: Vec<JobId<'a>>,
    /// Why it is not handed out though it is ready.
    pub blocked_by: Option<BlockedBy>,
    /// The name of the worker that holds it.
    pub worker: Option<&'a [u8]>,
}

impl JobView<'_> {
    /// How many jobs it waits for.
    pub fn waits_for_count(&self) -> u64 {
        let is_blocked = self.state == State::Blocked;
        if is_blocked { u64::from(self.job.open()) + u64::from(self.job.is_next()) } else { 0 }
    }
}

/// One job.
pub fn job<'a>(queue: Option<&'a Queue>, id: &[u8], now: UnixMs) -> Result<JobView<'a>, Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no job '{}'", shown(id)));
    let queue = queue.ok_or_else(unknown)?;
    let (serial, job) = queue.find(id).ok_or_else(unknown)?;
    let view = at(queue, serial, job, queue.clamp(now)).ok_or_else(unknown)?;
    let waits_for = queue.waits_for(serial, job).map(|(serial, job)| job.shown_id(serial));
    let waits_for = queue.holder_before(job).into_iter().chain(waits_for);
    Ok(JobView { waits_for: waits_for.take(MAX_SHOWN_PARENTS).collect(), ..view })
}

/// A job as it is at `now`; `None` when it is gone by then.
pub(crate) fn at<'q>(
    queue: &'q Queue,
    serial: Serial,
    job: BorrowedJob<'q>,
    now: UnixMs,
) -> Option<JobView<'q>> {
    let state = state_at(queue, job, now)?;
    let lapsed = job.state == State::Active && state != State::Active;
    let error = job.error();
    let (at, error, kind) = match state {
        State::Ready if lapsed => (job.ready_at, error, job.kind()),
        State::Dead if lapsed => (now, Some(STALL_ERROR), Some(STALL_KIND)),
        _ => (job.at, error, job.kind()),
    };
    let stalls = job.stalls().saturating_add(u32::from(lapsed));
    let worker = job.worker().filter(|_| state == State::Active);
    let blocked_by = (state == State::Ready).then(|| blocked_by_now(queue, job, now)).flatten();
    let backoff = job.backoff().unwrap_or(&queue.config.backoff);
    let id = job.shown_id(serial);
    let waits_for = Vec::new();
    Some(JobView { id, state, job, stalls, backoff, at, error, kind, blocked_by, waits_for, worker })
}

/// Why a ready job would not be popped even if it were first in line.
fn blocked_by_now(queue: &Queue, job: BorrowedJob<'_>, now: UnixMs) -> Option<BlockedBy> {
    if let Err(blocked_by_now) = queue.pop_capacity(now) {
        return Some(blocked_by_now);
    }
    let name = job.group()?;
    let control = queue.group_controls.get(name);
    if let Some(pause) = control.and_then(|control| control.paused(now)) {
        return Some(BlockedBy::GroupPaused { until: pause.until });
    }
    if let Some(until) = queue.group_rate_until(name, now) {
        return Some(BlockedBy::GroupRate { until });
    }
    let limit = control.and_then(|control| control.concurrency).or(queue.config.group_concurrency);
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let group = queue.ready.group(name)?;
    let (started, batch) = (job.is_started(), job.batch());
    // One that was begun holds a place already, and waits only for those that are being worked on.
    let in_the_way = |job: BorrowedJob<'_>| match state_at(queue, job, now) {
        Some(State::Active) => true,
        Some(State::Ready | State::Delayed) => !started,
        _ => false,
    };
    let slot_holders = group
        .slot_holders
        .iter()
        .take(HOLDER_SCAN_LIMIT)
        .filter_map(|serial| Some((*serial, queue.job(*serial)?)));
    let mut slots = HashSet::new();
    let mut first = None;
    for (serial, other) in slot_holders.filter(|(_, job)| in_the_way(*job)) {
        // A batch holds one slot, and a slot has one run at a time.
        let slot = if other.batch() > 0 { (true, other.batch()) } else { (false, serial) };
        slots.insert(slot);
        let holder = *first.get_or_insert((serial, other));
        if started && batch > 0 && other.batch() == batch {
            return Some(BlockedBy::Group { holder: other.shown_id(serial).into() });
        }
        if slots.len() >= limit {
            return Some(BlockedBy::Group { holder: holder.1.shown_id(holder.0).into() });
        }
    }
    None
}

/// What STATS shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    pub ready: usize,
    pub delayed: usize,
    pub active: usize,
    pub blocked: usize,
    pub done: usize,
    pub dead: usize,
    /// How long the job has waited that has been ready longest, in milliseconds.
    pub oldest_ready_ms: u64,
    pub totals: Totals,
    pub pause: Option<Pause>,
}

/// The whole queue; a missing one is empty.
pub fn stats(queue: Option<&Queue>, now: UnixMs) -> Stats {
    let Some(queue) = queue else { return Stats::default() };
    let now = queue.clamp(now);
    let mut stats = Stats {
        ready: queue.count(State::Ready),
        delayed: queue.count(State::Delayed),
        active: queue.count(State::Active),
        blocked: queue.count(State::Blocked),
        done: queue.count(State::Done),
        dead: queue.count(State::Dead),
        oldest_ready_ms: 0,
        totals: queue.totals,
        pause: None,
    };
    let any_expired = queue.first_expired(now).is_some();
    let mut oldest = queue.ready.oldest(|serial| !any_expired || !queue.has_expired(serial, now));
    let mut became_ready = |stats: &mut Stats, place: UnixMs| {
        stats.ready += 1;
        oldest = Some(oldest.map_or(place, |oldest| oldest.min(place)));
    };
    for job in passed(queue, &queue.deadlines.expiring, 0, now) {
        *(if job.state == State::Ready { &mut stats.ready } else { &mut stats.delayed }) -= 1;
        increment(&mut stats.totals.expired);
    }
    for job in passed(queue, queue.by_time(State::Delayed), 0, now).filter(|job| !job.is_expired(now)) {
        stats.delayed -= 1;
        became_ready(&mut stats, job.at);
    }
    let mut died = 0;
    for job in passed(queue, queue.by_time(State::Active), 0, now) {
        stats.active -= 1;
        increment(&mut stats.totals.stalled);
        match state_after_lease(queue, job, now) {
            Some(State::Dead) => {
                stats.dead += 1;
                increment(&mut stats.totals.died);
                died += usize::from(job.keep().is_none());
            }
            Some(_) => became_ready(&mut stats, job.ready_at),
            None if job.is_cancelled() => {}
            None => increment(&mut stats.totals.expired),
        }
    }
    stats.oldest_ready_ms = oldest.map_or(0, |place| now.saturating_sub(place));
    for job in passed(queue, &queue.deadlines.retained, 0, now) {
        *(if job.state == State::Done { &mut stats.done } else { &mut stats.dead }) -= 1;
    }
    stats.done -= forgotten(queue, State::Done, 0, now);
    stats.dead -= forgotten(queue, State::Dead, died, now);
    stats.pause = queue.paused(now);
    stats
}

/// The jobs of a lane for which a time has come.
pub(crate) fn passed<'q>(
    queue: &'q Queue,
    lane: &'q TimeIndex,
    age: u64,
    now: UnixMs,
) -> impl Iterator<Item = BorrowedJob<'q>> {
    let passed = lane.iter().take_while(move |(at, _)| at.saturating_add(age) <= now).take(SCAN_LIMIT);
    passed.filter_map(|(_, serial)| queue.job(*serial))
}

/// How many jobs the queue's retention removes once `more` jobs have joined them.
pub(crate) fn forgotten(queue: &Queue, state: State, more: usize, now: UnixMs) -> usize {
    let Keep { age, most } = queue.keep(state);
    let old = passed(queue, queue.by_time(state), age, now).count();
    old.max((queue.by_time(state).len() + more).saturating_sub(most))
}
