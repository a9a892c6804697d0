//! GET and STATS: a queue as it is now, without changing it.

use std::borrow::Cow;

use super::advance::STALLED;
use super::apply::count;
use super::job::{Job, State};
use super::queue::{Queue, Totals};
use super::{KEEP_DEAD, KEEP_DONE};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// How many jobs of a state that time has moved STATS looks through; any more are still counted where
/// they were.
const LOOKED_AT: usize = 10_000;

/// What GET shows of a job.
#[derive(Debug)]
pub struct JobView<'a> {
    pub id: Cow<'a, [u8]>,
    pub state: State,
    pub job: &'a Job,
    pub stalls: u32,
    /// When it is due, its lease ends, it became ready or ended, by state.
    pub at: UnixMs,
    /// Of the last failure.
    pub error: Option<&'a [u8]>,
}

/// Where a job is at `now`, though nothing has moved it there yet; `None` when it was kept long enough.
fn state_at(job: &Job, now: UnixMs) -> Option<State> {
    let kept = |age| now < job.at.saturating_add(age);
    match job.state {
        State::Delayed if job.at <= now => Some(State::Ready),
        State::Active if job.at <= now && job.is_cancelled() => None,
        State::Active if job.at <= now && job.dies_of_next_stall() => Some(State::Dead),
        State::Active if job.at <= now => Some(State::Ready),
        State::Done if !kept(KEEP_DONE.0) => None,
        State::Dead if !kept(KEEP_DEAD.0) => None,
        state => Some(state),
    }
}

/// One job.
pub fn job<'a>(queue: Option<&'a Queue>, id: &[u8], now: UnixMs) -> Result<JobView<'a>, Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no job '{}'", shown(id)));
    let queue = queue.ok_or_else(unknown)?;
    let (serial, job) = queue.find(id).ok_or_else(unknown)?;
    let now = queue.clamp(now);
    let state = state_at(job, now).ok_or_else(unknown)?;
    let lapsed = job.state == State::Active && state != State::Active;
    let error = job.extra.as_ref().and_then(|extra| extra.error.as_deref());
    let (at, error) = match state {
        State::Ready if lapsed => (job.place, error),
        State::Dead if lapsed => (now, Some(STALLED)),
        _ => (job.at, error),
    };
    let stalls = job.stalls.saturating_add(u32::from(lapsed));
    Ok(JobView { id: job.shown_id(serial), state, job, stalls, at, error })
}

/// What STATS shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    pub ready: usize,
    pub delayed: usize,
    pub active: usize,
    pub done: usize,
    pub dead: usize,
    /// How long the job has waited that has been ready longest, in milliseconds.
    pub oldest_ready_ms: u64,
    pub totals: Totals,
}

/// The whole queue; a missing one is empty.
pub fn stats(queue: Option<&Queue>, now: UnixMs) -> Stats {
    let Some(queue) = queue else { return Stats::default() };
    let now = queue.clamp(now);
    let mut stats = Stats {
        ready: queue.count(State::Ready),
        delayed: queue.count(State::Delayed),
        active: queue.count(State::Active),
        done: queue.count(State::Done),
        dead: queue.count(State::Dead),
        oldest_ready_ms: 0,
        totals: queue.totals,
    };
    let mut oldest = queue.line.oldest();
    let mut became_ready = |place: UnixMs| {
        stats.ready += 1;
        oldest = Some(oldest.map_or(place, |oldest| oldest.min(place)));
    };
    let ended = |state, age| {
        let timed = queue.timed(state).iter();
        timed.take_while(move |(at, _)| at.saturating_add(age) <= now).take(LOOKED_AT)
    };
    for (due, _) in ended(State::Delayed, 0) {
        stats.delayed -= 1;
        became_ready(*due);
    }
    for job in ended(State::Active, 0).filter_map(|(_, serial)| queue.job(*serial)) {
        stats.active -= 1;
        count(&mut stats.totals.stalled);
        if job.is_cancelled() {
            continue;
        }
        if job.dies_of_next_stall() {
            stats.dead += 1;
            count(&mut stats.totals.died);
        } else {
            became_ready(job.place);
        }
    }
    let left = |count: usize, state, (age, most)| (count - ended(state, age).count()).min(most);
    stats.done = left(stats.done, State::Done, KEEP_DONE);
    stats.dead = left(stats.dead, State::Dead, KEEP_DEAD);
    stats.oldest_ready_ms = oldest.map_or(0, |place| now.saturating_sub(place));
    stats
}
