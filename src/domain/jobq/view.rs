//! GET and STATS: a queue as it is now, without changing it.

use std::borrow::Cow;

use super::job::{Job, State};
use super::queue::{Queue, Totals};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;

/// How many jobs that time has moved STATS looks through; any more are still counted where they were.
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
}

/// Where a job is at `now`, though nothing has moved it there yet.
fn state_at(job: &Job, now: UnixMs) -> State {
    match job.state {
        State::Delayed if job.at <= now => State::Ready,
        State::Active if job.at <= now && job.dies_of_next_stall() => State::Dead,
        State::Active if job.at <= now => State::Ready,
        state => state,
    }
}

/// One job.
pub fn job<'a>(queue: Option<&'a Queue>, id: &[u8], now: UnixMs) -> Result<JobView<'a>, Refusal> {
    let unknown = || Refusal::new(Code::NoJob, format!("there is no job '{}'", shown(id)));
    let queue = queue.ok_or_else(unknown)?;
    let (serial, job) = queue.find(id).ok_or_else(unknown)?;
    let state = state_at(job, queue.clamp(now));
    let lapsed = job.state == State::Active && state != State::Active;
    Ok(JobView {
        id: job.shown_id(serial),
        state,
        job,
        stalls: job.stalls + u32::from(lapsed),
        at: if lapsed && state == State::Ready { job.place } else { job.at },
    })
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
    let mut oldest = queue.first(State::Ready).map(|(place, _)| place);
    for from in [State::Delayed, State::Active] {
        let due = queue.lane(from).iter().take_while(|(at, _)| *at <= now).take(LOOKED_AT);
        for job in due.filter_map(|&(_, serial)| queue.job(serial)) {
            match from {
                State::Delayed => stats.delayed -= 1,
                _ => stats.active -= 1,
            }
            if state_at(job, now) == State::Dead {
                stats.dead += 1;
            } else {
                stats.ready += 1;
                let place = if from == State::Delayed { job.at } else { job.place };
                oldest = Some(oldest.map_or(place, |oldest| oldest.min(place)));
            }
        }
    }
    stats.oldest_ready_ms = oldest.map_or(0, |place| now.saturating_sub(place));
    stats
}
