//! One job.

use super::backoff::Backoff;
use crate::domain::time::UnixMs;

/// Where a job is. Every job is in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Ready,
    Delayed,
    Active,
    Done,
    Dead,
}

impl State {
    pub const ALL: [State; 5] = [State::Ready, State::Delayed, State::Active, State::Done, State::Dead];
}

/// How the last run ended, as its worker said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It has not said anything yet.
    Open,
    Acked,
    Failed,
    Released,
}

impl Settled {
    pub const ALL: [Settled; 4] = [Settled::Open, Settled::Acked, Settled::Failed, Settled::Released];
}

/// A job. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub payload: Box<[u8]>,
    pub state: State,
    pub settled: Settled,
    /// What orders the job among those of its state: when it became ready, is due, its lease ends,
    /// or it ended.
    pub at: UnixMs,
    /// Its place in the line: when it became ready. Kept while it is active, for coming back to.
    pub place: UnixMs,
    pub created: UnixMs,
    /// Of the last POP, 0 before the first.
    pub token: u64,
    pub failures: u32,
    pub stalls: u32,
    pub retries: u32,
    /// Lower ones are served first.
    pub priority: i32,
    /// Joins the head of those of its priority, not the end.
    pub lifo: bool,
    /// In milliseconds; 0 is as the POP says.
    pub lease: u64,
    /// `None` is the default.
    pub backoff: Option<Box<Backoff>>,
    /// What few jobs have.
    pub extra: Option<Box<Extra>>,
}

/// The parts of a job that are mostly missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// The id that its pusher chose.
    pub id: Option<Box<[u8]>>,
    pub name: Option<Box<[u8]>>,
    pub meta: Option<Box<[u8]>>,
    /// Of the last failure.
    pub error: Option<Box<[u8]>>,
    pub result: Option<Box<[u8]>>,
    /// Its cancellation was asked for while it was active: its worker is told, and it is not tried again.
    pub cancelled: bool,
}

impl Job {
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub fn id(&self) -> Option<&[u8]> {
        self.extra.as_ref()?.id.as_deref()
    }

    pub fn is_cancelled(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.cancelled)
    }

    /// Which run the current or next one is, from 1.
    pub fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// Bytes that it holds beyond itself, roughly.
    pub fn weight(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| {
            [&extra.id, &extra.name, &extra.meta, &extra.error, &extra.result]
                .into_iter()
                .flatten()
                .map(|part| part.len())
                .sum::<usize>()
                + size_of::<Extra>()
        });
        size_of::<Job>() + self.payload.len() + extra + self.backoff.as_ref().map_or(0, |b| b.weight())
    }
}
