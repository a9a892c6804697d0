//! What keeps a queue from handing out jobs that are ready, and from taking more.

use crate::domain::jobq::queue::{Queue, rate};
use crate::domain::jobq::state::job::State;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::time::UnixMs;
use std::fmt;

/// How many leases that have run out are looked at, for jobs that still count as active.
const LOOKED_AT: usize = 10_000;

/// Why a job is not handed out though it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
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
}

impl Hindrance {
    /// In words, as GET shows it.
    pub fn shown(&self) -> Vec<u8> {
        match self {
            Hindrance::Group { holder } => [b"group held by ", &holder[..]].concat(),
            other => other.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hindrance::Paused { until: None } => out.write_str("paused"),
            Hindrance::Paused { until: Some(until) } => write!(out, "paused until {until}"),
            Hindrance::Concurrency { limit } => write!(out, "concurrency {limit}"),
            Hindrance::Rate { until } => write!(out, "rate until {until}"),
            Hindrance::Group { .. } => out.write_str("group"),
        }
    }
}

impl Queue {
    /// How the queue is paused at `now`.
    pub fn paused(&self, now: UnixMs) -> Option<Pause> {
        self.pause.filter(|pause| pause.until.is_none_or(|until| now < until))
    }

    /// How many jobs are active at `now`, those left out whose leases have run out.
    pub(crate) fn active(&self, now: UnixMs) -> usize {
        let lapsed = self.timed(State::Active).iter().take_while(|(end, _)| *end <= now).take(LOOKED_AT);
        self.count(State::Active) - lapsed.count()
    }

    /// How many jobs may be handed out at `now`.
    pub(crate) fn room(&self, now: UnixMs) -> Result<usize, Hindrance> {
        if let Some(pause) = self.paused(now) {
            return Err(Hindrance::Paused { until: pause.until });
        }
        let mut room = usize::MAX;
        if let Some(limit) = self.config.concurrency {
            room = (limit as usize).saturating_sub(self.active(now));
            if room == 0 {
                return Err(Hindrance::Concurrency { limit });
            }
        }
        if let Some((left, next)) = rate::left(self, now) {
            if left == 0 {
                return Err(Hindrance::Rate { until: next });
            }
            room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        }
        Ok(room)
    }

    /// When something may become poppable at or after `now`, or what is waited for may be over, though nobody
    /// touches the queue.
    pub fn next_due(&self, now: UnixMs) -> Option<UnixMs> {
        let now = self.clamp(now);
        let first = |state| self.first(state).map(|(at, _)| at);
        let expiring = self.ends.expiring.first().map(|(at, _)| *at);
        if self.flows.has_work() {
            return Some(self.clock);
        }
        let freed = self.keys.ends.first().map(|(at, _)| *at);
        let others = [expiring, freed, self.next_gone(), self.next_run()];
        let moved = || {
            let times = [first(State::Delayed), first(State::Active)].into_iter().chain(others);
            times.flatten().min()
        };
        match self.room(now) {
            Ok(_) => moved(),
            Err(Hindrance::Paused { until }) => until,
            Err(Hindrance::Rate { until }) => Some(until),
            Err(Hindrance::Concurrency { .. } | Hindrance::Group { .. }) => first(State::Active),
        }
    }

    /// How many jobs wait.
    pub(crate) fn length(&self) -> usize {
        self.count(State::Ready) + self.count(State::Delayed) + self.count(State::Blocked)
    }
}
