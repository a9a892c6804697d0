//! What is replicated of a change.

use smallvec::SmallVec;

use super::backoff::Backoff;
use super::config::Config;
use super::flow::OnDead;
use super::gate::Pause;
use super::job::Payload;
use super::queue::Serial;
use super::timetable::Terms;
use super::unique::Until;
use crate::domain::ratelimit;
use crate::domain::time::UnixMs;

type Bytes = Box<[u8]>;

/// The queue's clock and its next serial are below this: far from overflowing whatever is added.
pub(super) const FAR: u64 = 1 << 52;
/// Any other time or serial is below this: a time below [`FAR`] and the longest duration, at least.
pub(super) const FARTHEST: u64 = 1 << 53;

/// One job of a POP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub serial: Serial,
    pub token: u64,
    pub deadline: UnixMs,
}

/// Those of a POP: most take one job, which needs no allocation.
pub type Grants = SmallVec<[Grant; 1]>;

/// What FAIL does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Retry { due: UnixMs },
    Dead,
}

/// A job to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub payload: Payload,
    /// When it may first be popped.
    pub due: UnixMs,
    pub id: Option<Bytes>,
    pub name: Option<Bytes>,
    pub meta: Option<Bytes>,
    pub retries: u16,
    pub backoff: Option<Box<Backoff>>,
    pub lease: u64,
    pub priority: i32,
    pub lifo: bool,
    pub group: Option<Bytes>,
    /// In milliseconds; 0 is without an end.
    pub expire: u64,
    /// In milliseconds; `None` is as the queue keeps its jobs.
    pub keep: Option<u64>,
    pub unique: Option<NewKey>,
    pub flow: Option<NewFlow>,
}

/// What a job to be added waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFlow {
    /// Anchors.
    pub after: Vec<Serial>,
    pub on_dead: OnDead,
    /// It is dead at once, of this.
    pub doom: Option<Bytes>,
}

/// The key of a job to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub key: Bytes,
    pub until: Until,
    /// In milliseconds; 0 is without a FOR.
    pub window: u64,
    /// Where the key is held.
    pub turn: Turn,
}

/// How a job comes to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is free.
    First,
    /// In the place of this job, which is taken out.
    InPlaceOf(Serial),
    /// When its holder lets go.
    Next,
    /// Not at all: it is dead at once.
    Never,
}

/// The parts of a job that an UPDATE replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    pub priority: Option<i32>,
    pub due: Option<UnixMs>,
    pub retries: Option<u16>,
    pub payload: Option<Payload>,
}

/// A change of a queue at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub now: UnixMs,
    pub change: Change,
}

impl Effect {
    /// One effect of all these changes, if there are any.
    pub(super) fn of(mut changes: Vec<Change>, now: UnixMs) -> Option<Self> {
        let change = if changes.len() > 1 { Change::Many(changes) } else { changes.pop()? };
        Some(Effect { now, change })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// What time has made due, at most so many steps of it.
    Advance {
        steps: u32,
    },
    Push {
        serial: Serial,
        job: NewJob,
    },
    Pop {
        grants: Grants,
        /// What it takes of the queue's rate.
        rate: Option<Box<ratelimit::Effect>>,
        /// The name that their worker goes by.
        worker: Option<Bytes>,
    },
    Ack {
        serial: Serial,
        result: Option<Bytes>,
    },
    /// Several, without results.
    AckMany {
        serials: Vec<Serial>,
    },
    Fail {
        serial: Serial,
        error: Option<Bytes>,
        fate: Fate,
    },
    /// Back to its place, or (`due`) later.
    Release {
        serial: Serial,
        due: Option<UnixMs>,
    },
    Extend {
        serial: Serial,
        deadline: UnixMs,
        /// In the place of what was said before.
        progress: Option<Bytes>,
    },
    /// The job was cancelled: it is taken out, whatever its state.
    Remove {
        serial: Serial,
    },
    /// The job is taken out, whatever its state: nobody wants to keep it.
    Purge {
        serial: Serial,
    },
    /// Its worker is to be told that it should stop.
    Flag {
        serial: Serial,
    },
    /// Dead jobs are tried again from the beginning.
    Redrive {
        serials: Vec<Serial>,
    },
    /// The queue's settings.
    Configure(Box<Config>),
    /// The queue is held up, or goes on.
    Pause(Option<Pause>),
    /// A schedule is added or replaced.
    Plan {
        name: Bytes,
        terms: Box<Terms>,
        next: Option<UnixMs>,
    },
    Unplan {
        name: Bytes,
    },
    /// A schedule pushes its job for the time `due`, unless the id of that run is known.
    Run {
        name: Bytes,
        due: UnixMs,
    },
    /// When a schedule is due next, after so many missed runs that were made.
    Next {
        name: Bytes,
        next: Option<UnixMs>,
        behind: u32,
    },
    /// A schedule waits for its last run to end.
    Hold {
        name: Bytes,
    },
    /// What an operator gives a job in the place of what it had.
    Update {
        serial: Serial,
        update: Given,
    },
    /// A line at the end of a job's log.
    Log {
        serial: Serial,
        line: Bytes,
    },
    /// Several changes one after the other, as a batch makes them; none of them is again a batch.
    Many(Vec<Change>),
}

impl Change {
    pub(super) fn payload(&self) -> Option<&[u8]> {
        match self {
            Change::Push { job, .. } => Some(&job.payload),
            Change::Update { update, .. } => update.payload.as_deref(),
            _ => None,
        }
    }

    pub(super) fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Change::Push { job, .. } => Some(&mut job.payload),
            Change::Update { update, .. } => update.payload.as_mut(),
            _ => None,
        }
    }
}
