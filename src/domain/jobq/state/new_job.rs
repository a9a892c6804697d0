//! A job that is to be added.

use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::dependencies::OnDead;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::unique_keys::Until;
use crate::domain::time::UnixMs;

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
    /// Of the limits that a POP names, 0 to 10^12.
    pub cost: u64,
    /// In milliseconds; 0 is without an end.
    pub expire: u64,
    /// In milliseconds; `None` is as the queue keeps its jobs.
    pub keep: Option<u64>,
    pub unique: Option<NewKey>,
    pub dependencies: Option<NewDependencies>,
}

/// What a job to be added waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDependencies {
    /// Anchors.
    pub after: Vec<Serial>,
    pub on_dead: OnDead,
    /// It is dead at once, of this.
    pub dependency_error: Option<Bytes>,
}

/// The key of a job to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    pub key: Bytes,
    pub until: Until,
    /// In milliseconds; 0 is without a FOR.
    pub window: u64,
    /// Asks the worker of an active holder to stop, and takes over the jobs that wait for it.
    pub cancels: bool,
    /// The push that began the chain of replaced holders.
    pub since: UnixMs,
    /// Where the key is held.
    pub claim: KeyClaim,
}

/// How a job comes to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// It is free.
    Free,
    /// In the place of this job, which is taken out.
    Replace(Serial),
    /// When its holder lets go.
    Wait,
    /// Not at all: it is dead at once.
    Dead,
}

pub(crate) type Bytes = Box<[u8]>;
