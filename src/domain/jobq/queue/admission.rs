//! Admission: pause, concurrency and rate decide how many jobs a POP may hand out.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::ratelimit;
use crate::domain::ratelimit::{Check, CheckRequest, Limit, RequestedLimit};
use crate::domain::time::UnixMs;
use std::fmt;

/// The most leases that have run out whose jobs are subtracted from the active ones.
const SCAN_LIMIT: usize = 10_000;

/// Why a ready job is not handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockedBy {
    Paused {
        until: Option<UnixMs>,
    },
    /// As many as may be are active.
    Concurrency {
        limit: u32,
    },
    Rate {
        until: UnixMs,
    },
    /// As many of its group as may be are under way; one of them.
    Group {
        holder: Box<[u8]>,
    },
    /// Its group is paused.
    GroupPaused {
        until: Option<UnixMs>,
    },
    /// Its group has used up its rate.
    GroupRate {
        until: UnixMs,
    },
}

impl BlockedBy {
    /// In words, as GET shows it.
    pub fn shown(&self) -> Vec<u8> {
        match self {
            BlockedBy::Group { holder } => [b"group held by ", &holder[..]].concat(),
            other => other.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for BlockedBy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockedBy::Paused { until: None } => out.write_str("paused"),
            BlockedBy::Paused { until: Some(until) } => write!(out, "paused until {until}"),
            BlockedBy::Concurrency { limit } => write!(out, "concurrency {limit}"),
            BlockedBy::Rate { until } => write!(out, "rate until {until}"),
            BlockedBy::GroupPaused { until: None } => out.write_str("group paused"),
            BlockedBy::GroupPaused { until: Some(until) } => write!(out, "group paused until {until}"),
            BlockedBy::GroupRate { until } => write!(out, "group rate until {until}"),
            BlockedBy::Group { .. } => out.write_str("group"),
        }
    }
}

impl Queue {
    /// How the queue is paused at `now`.
    pub fn paused(&self, now: UnixMs) -> Option<Pause> {
        self.pause.filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// The number of active jobs at `now`, without those whose leases have run out.
    pub(crate) fn active(&self, now: UnixMs) -> usize {
        let lapsed = self.by_time(State::Active).iter().take_while(|(end, _)| *end <= now).take(SCAN_LIMIT);
        self.count(State::Active) - lapsed.count()
    }

    /// How many jobs may be handed out at `now`.
    pub(crate) fn pop_capacity(&self, now: UnixMs) -> Result<usize, BlockedBy> {
        if let Some(pause) = self.paused(now) {
            return Err(BlockedBy::Paused { until: pause.until });
        }
        let mut room = usize::MAX;
        if let Some(limit) = self.config.concurrency {
            room = (limit as usize).saturating_sub(self.active(now));
            if room == 0 {
                return Err(BlockedBy::Concurrency { limit });
            }
        }
        if let Some((left, next)) = rate_left(self, now) {
            if left == 0 {
                return Err(BlockedBy::Rate { until: next });
            }
            room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        Ok(room)
    }

    /// Returns the earliest time, `now` or later, at which a waiter must be tried without any
    /// command touching the queue.
    pub fn next_due(&self, now: UnixMs) -> Option<UnixMs> {
        let now = self.clamp(now);
        let first = |state| self.first(state).map(|(at, _)| at);
        let expiring = self.deadlines.expiring.first().map(|(at, _)| *at);
        if self.dependency_graph.has_work() || self.group_controls.recheck_from.is_some() {
            return Some(self.clock);
        }
        let opens = self.group_controls.first_to_open().map(|(at, _)| *at);
        let freed = self.keys.ends.first().map(|(at, _)| *at);
        let others = [expiring, freed, opens, self.next_dependency_removal(), self.next_run()];
        let moved = || {
            let times = [first(State::Delayed), first(State::Active)].into_iter().chain(others);
            times.flatten().min()
        };
        match self.pop_capacity(now) {
            Ok(_) => moved(),
            Err(BlockedBy::Paused { until }) => until,
            Err(BlockedBy::Rate { until }) => Some(until),
            Err(_) => first(State::Active),
        }
    }

    /// How many jobs wait.
    pub(crate) fn length(&self) -> usize {
        self.count(State::Ready) + self.count(State::Delayed) + self.count(State::Blocked)
    }
}

/// The name of the limit. It keeps its count when its numbers change.
const RATE_LIMIT_NAME: &[u8] = b"rate";

fn rate_request(queue: &Queue, cost: u64) -> Option<CheckRequest<'static>> {
    let rule = queue.config.rate?;
    Some(CheckRequest::one(RequestedLimit { limit: Limit { name: Some(RATE_LIMIT_NAME), rule }, cost }))
}

/// How many jobs may be started at `now`, and when the next one may if that is none; `None` without
/// a rate.
pub(crate) fn rate_left(queue: &Queue, now: UnixMs) -> Option<(u64, UnixMs)> {
    let verdict = ratelimit::current_rows(Some(&queue.rate), &rate_request(queue, 1)?, now).ok()?;
    let row = verdict.binding()?;
    let wait = u64::try_from(row.retry_after_ms).unwrap_or(0);
    Some((if row.allowed { row.remaining.max(1) } else { 0 }, now.saturating_add(wait)))
}

/// When the rate lets one more job start than it does at `now`; `None` if it never does, or does
/// not bound them.
pub(crate) fn more_starts_at(queue: &Queue, now: UnixMs) -> Option<UnixMs> {
    let (left, _) = rate_left(queue, now)?;
    let verdict =
        ratelimit::current_rows(Some(&queue.rate), &rate_request(queue, left.checked_add(1)?)?, now).ok()?;
    let wait = u64::try_from(verdict.binding()?.retry_after_ms).ok()?;
    Some(now.saturating_add(wait)).filter(|at| *at > now)
}

/// The effect of starting `jobs` jobs on the queue's rate.
pub(crate) fn rate_effect(queue: &Queue, jobs: usize, now: UnixMs) -> Option<Box<ratelimit::Effect>> {
    let check = Check::plain(rate_request(queue, jobs as u64)?);
    ratelimit::decide_check(Some(&queue.rate), &check, now).ok()?.effect.map(Box::new)
}
