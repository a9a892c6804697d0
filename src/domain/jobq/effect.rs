//! What is replicated of a change.

use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::new_job::{Bytes, NewDependencies, NewJob};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::schedules::{RunProgress, ScheduleSpec};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::shared_rate::RateCharge;
use crate::domain::ratelimit;
use crate::domain::time::UnixMs;
use smallvec::SmallVec;
use std::sync::Arc;

/// One job of a POP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub serial: Serial,
    pub token: u64,
    pub deadline: UnixMs,
}

/// Those of a POP: most take one job, which needs no allocation.
pub type Grants = SmallVec<[Grant; 1]>;

/// What a POP takes of the rate of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCharge {
    /// Which of its grants is the first of the group.
    pub nth: usize,
    pub effect: Box<ratelimit::Effect>,
}

/// What FAIL does with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFail {
    Retry { due: UnixMs },
    Dead,
}

/// The parts of a job that an UPDATE replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobUpdate {
    pub priority: Option<i32>,
    pub due: Option<UnixMs>,
    pub retries: Option<u16>,
    pub payload: Option<Payload>,
    pub lifo: Option<bool>,
    /// It gives up its key, or its claim to be the next holder.
    pub no_unique: bool,
    /// It waits for more jobs.
    pub parents: Option<NewDependencies>,
}

/// A change of a queue at `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub now: UnixMs,
    pub change: Change,
}

impl Effect {
    /// One effect of all these changes, if there are any.
    pub(crate) fn from_changes(mut changes: Vec<Change>, now: UnixMs) -> Option<Self> {
        let change = if changes.len() > 1 { Change::Batch(changes) } else { changes.pop()? };
        Some(Effect { now, change })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Does what time has made due, at most `steps` steps of it.
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
        /// They share a slot of their group from now on.
        batch: Option<BatchId>,
        /// What it takes of the rates of groups.
        group_rates: Vec<GroupCharge>,
        /// What it has charged a subject of RATELIMIT, by an effect of that key.
        charge: Option<Arc<RateCharge>>,
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
        kind: Option<Bytes>,
        /// Replaces what the job's workers reported before, if given.
        progress: Option<Bytes>,
        after_fail: AfterFail,
    },
    /// Moves the job back to its place, or (`due`) delays it.
    Release {
        serial: Serial,
        due: Option<UnixMs>,
        /// Replaces what the job's workers reported before, if given.
        progress: Option<Bytes>,
    },
    Extend {
        serial: Serial,
        deadline: UnixMs,
        /// Replaces what the job's workers reported before, if given.
        progress: Option<Bytes>,
    },
    /// The job was cancelled and is removed, whatever its state.
    Remove {
        serial: Serial,
    },
    /// An operator removes the job, whatever its state.
    Purge {
        serial: Serial,
    },
    /// Asks the job's worker to stop.
    RequestCancel {
        serial: Serial,
    },
    /// Makes jobs that ended ready again, with all of their retries.
    Redrive {
        serials: Vec<Serial>,
    },
    /// The queue's settings.
    Configure(Box<Config>),
    /// Pauses the queue or resumes it.
    Pause(Option<Pause>),
    /// Pauses a group or resumes it.
    PauseGroup {
        group: Bytes,
        pause: Option<Pause>,
    },
    /// How many runs of a group may be under way; `None` is as the queue says.
    SetGroup {
        group: Bytes,
        concurrency: Option<u32>,
    },
    /// A schedule is added or replaced.
    SetSchedule {
        name: Bytes,
        spec: Box<ScheduleSpec>,
        next: Option<UnixMs>,
    },
    DeleteSchedule {
        name: Bytes,
    },
    /// A schedule pushes its job for the time `due`, unless the id of that run is known.
    RunSchedule {
        name: Bytes,
        due: UnixMs,
    },
    /// The next time of a schedule, and how many missed runs it has made up for in a row.
    SetNextRun {
        name: Bytes,
        next: Option<UnixMs>,
        progress: RunProgress,
    },
    /// A schedule waits for its last run to end.
    HoldSchedule {
        name: Bytes,
    },
    /// Replaces parts of a job.
    Update {
        serial: Serial,
        update: JobUpdate,
    },
    /// A line at the end of a job's log.
    Log {
        serial: Serial,
        line: Bytes,
    },
    /// Several changes one after the other. A batch never contains a batch.
    Batch(Vec<Change>),
}

impl Change {
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match self {
            Change::Push { job, .. } => Some(&job.payload),
            Change::Update { update, .. } => update.payload.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn payload_mut(&mut self) -> Option<&mut Payload> {
        match self {
            Change::Push { job, .. } => Some(&mut job.payload),
            Change::Update { update, .. } => update.payload.as_mut(),
            _ => None,
        }
    }
}
