//! One job.

use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::shared_rate::{DEFAULT_COST, JobRate, RateCharge};
use crate::domain::time::UnixMs;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::{fmt, mem};
use triomphe::{HeaderSlice, UniqueArc};

/// The number of a row of STATS BY, from 1; 0 is the rest.
pub(crate) type RowNumber = u8;

/// Where a job is. Every job is in exactly one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Ready,
    Delayed,
    Active,
    Done,
    Dead,
    /// It waits for other jobs.
    Blocked,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Ready, State::Delayed, State::Active, State::Done, State::Dead, State::Blocked];

    /// Whether a job in this state has ended, unless an operator revives it.
    pub fn is_end(self) -> bool {
        matches!(self, State::Done | State::Dead)
    }
}

/// How the last run ended, as its worker said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastOutcome {
    /// It has not said anything yet.
    #[default]
    Open,
    Acked,
    Failed,
    Released,
}

impl LastOutcome {
    pub const ALL: [LastOutcome; 4] =
        [LastOutcome::Open, LastOutcome::Acked, LastOutcome::Failed, LastOutcome::Released];
}

/// A job: its [`JobHeader`] and its payload, in one allocation. A queue may hold millions, so
/// fields that most jobs leave empty belong in [`JobOptions`].
pub struct Job(UniqueArc<HeaderSlice<JobHeader, [u8]>>);

/// What every job has. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobHeader {
    pub state: State,
    pub last_outcome: LastOutcome,
    pub retries: u16,
    /// Lower ones are served first.
    pub priority: i32,
    /// What orders the job among those of its state: when it became ready, is due, its lease ends,
    /// it began to wait for others, or ended.
    pub at: UnixMs,
    /// Orders it in the ready queue: when it became ready. Kept while the job is active, for its
    /// return. While it waits for other jobs, the earliest time at which it may be ready.
    pub ready_at: UnixMs,
    pub created: UnixMs,
    /// Of the last POP, 0 before the first.
    pub token: u64,
    pub options: Option<Box<JobOptions>>,
}

/// What a push may say of a job and mostly does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobOptions {
    /// The id that its pusher chose.
    pub id: Option<Box<[u8]>>,
    pub name: Option<Box<[u8]>>,
    pub meta: Option<Box<[u8]>>,
    /// One of its group goes after the other; shared with the line.
    pub group: Option<Arc<[u8]>>,
    /// What it says about its own life.
    pub lifetime: Option<Box<JobLifetime>>,
    /// `None` is as the queue says.
    pub backoff: Option<Box<Backoff>>,
    /// In milliseconds; 0 is as the POP says.
    pub lease: u64,
    /// What aging adds to its priority since it is ready.
    pub shift: Rank,
    /// Joins the head of those of its priority, not the end.
    pub lifo: bool,
    /// The batch with which it shares the slot of its group, until it ends; 0 is none.
    pub batch: BatchId,
    /// The row of STATS BY name that counts it; 0 is none.
    pub name_row: RowNumber,
    /// When its last POP was, until that run has ended; 0 when that is not known.
    pub run_started: UnixMs,
    /// `None` costs [`DEFAULT_COST`] and was charged nothing.
    pub rate: Option<Box<JobRate>>,
    pub history: Option<Box<JobHistory>>,
}

/// What has happened to a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobHistory {
    pub failures: u32,
    pub stalls: u32,
    /// A client asked to cancel it while it was active: its worker is told, and it is not retried.
    pub cancelled: bool,
    /// Of the last failure.
    pub error: Option<Box<[u8]>>,
    /// The KIND of the last failure, `stalled` where the job died of lost leases.
    pub kind: Option<Box<[u8]>>,
    /// The row of STATS BY kind that counts it while it is dead; 0 is none.
    pub kind_row: RowNumber,
    pub result: Option<Box<[u8]>>,
    /// The name of the worker that holds it; only while it is active.
    pub worker: Option<Box<[u8]>>,
    /// What its worker said last of how far it is.
    pub progress: Option<Box<[u8]>>,
    /// What its workers wrote down.
    pub log: Option<Box<Log>>,
}

impl JobHistory {
    pub(crate) fn log_mut(&mut self) -> &mut Log {
        self.log.get_or_insert_default()
    }

    fn memory_bytes(&self) -> usize {
        let texts = [&self.error, &self.kind, &self.result, &self.worker, &self.progress];
        size_of::<Self>()
            + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
            + self.log.as_ref().map_or(0, |log| log.memory_bytes())
    }
}

impl JobOptions {
    fn memory_bytes(&self) -> usize {
        let texts = [&self.id, &self.name, &self.meta];
        size_of::<Self>()
            + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
            + self.group.as_ref().map_or(0, |group| group.len())
            + self.lifetime.as_ref().map_or(0, |lifetime| lifetime.memory_bytes())
            + self.backoff.as_ref().map_or(0, |backoff| backoff.memory_bytes())
            + self.rate.as_ref().map_or(0, |rate| rate.memory_bytes())
            + self.history.as_ref().map_or(0, |history| history.memory_bytes())
    }
}

/// The payload of a new job, already where the job will have it, so that a push copies it once.
#[derive(Clone, Default)]
pub struct Payload(Option<Job>);

impl From<&[u8]> for Payload {
    fn from(payload: &[u8]) -> Self {
        Payload(Some(Job::of(JobHeader::default(), payload)))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], Job::payload)
    }
}

impl Deref for Job {
    type Target = JobHeader;

    fn deref(&self) -> &JobHeader {
        &self.0.header
    }
}

impl DerefMut for Job {
    fn deref_mut(&mut self) -> &mut JobHeader {
        &mut self.0.header
    }
}

impl Clone for Job {
    fn clone(&self) -> Self {
        Job::of(JobHeader::clone(self), self.payload())
    }
}

impl Default for Job {
    fn default() -> Self {
        Job::of(JobHeader::default(), &[])
    }
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Job {}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.0.header).field(&self.payload()).finish()
    }
}

impl Job {
    pub fn new(head: JobHeader, payload: Payload) -> Self {
        let mut job = payload.0.unwrap_or_default();
        *job = head;
        job
    }

    fn of(head: JobHeader, payload: &[u8]) -> Self {
        let shared = triomphe::Arc::from_header_and_slice(head, payload);
        Job(triomphe::Arc::try_unique(shared).expect("nobody else has seen it"))
    }

    pub fn payload(&self) -> &[u8] {
        &self.0.slice
    }

    pub(crate) fn set_payload(&mut self, payload: Payload) {
        let head = mem::take(&mut **self);
        *self = Job::new(head, payload);
    }

    /// The same job, changed.
    #[cfg(test)]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut JobHeader)) -> Self {
        change(&mut self);
        self
    }

    /// Bytes that it takes, roughly.
    pub fn memory_bytes(&self) -> usize {
        size_of::<u64>()
            + size_of::<JobHeader>()
            + self.payload().len()
            + self.options.as_ref().map_or(0, |options| options.memory_bytes())
    }
}

impl JobHeader {
    pub fn options_mut(&mut self) -> &mut JobOptions {
        self.options.get_or_insert_default()
    }

    pub fn history(&self) -> Option<&JobHistory> {
        self.options.as_ref()?.history.as_deref()
    }

    pub fn history_mut(&mut self) -> &mut JobHistory {
        self.options_mut().history.get_or_insert_default()
    }

    pub fn id(&self) -> Option<&[u8]> {
        self.options.as_ref()?.id.as_deref()
    }

    pub fn name(&self) -> Option<&[u8]> {
        self.options.as_ref()?.name.as_deref()
    }

    /// Its row in STATS BY name.
    pub(crate) fn name_row(&self) -> RowNumber {
        self.options.as_ref().map_or(0, |options| options.name_row)
    }

    pub fn meta(&self) -> Option<&[u8]> {
        self.options.as_ref()?.meta.as_deref()
    }

    pub fn group(&self) -> Option<&Arc<[u8]>> {
        self.options.as_ref()?.group.as_ref()
    }

    /// `None` is as the queue says.
    pub fn backoff(&self) -> Option<&Backoff> {
        self.options.as_ref()?.backoff.as_deref()
    }

    /// In milliseconds; 0 is as the POP says.
    pub fn lease(&self) -> u64 {
        self.options.as_ref().map_or(0, |options| options.lease)
    }

    pub fn is_lifo(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.lifo)
    }

    /// 0 is none.
    pub(crate) fn batch(&self) -> BatchId {
        self.options.as_ref().map_or(0, |options| options.batch)
    }

    /// What a run takes of the limits that a POP names.
    pub fn cost(&self) -> u64 {
        self.options.as_ref().and_then(|options| options.rate.as_ref()).map_or(DEFAULT_COST, |rate| rate.cost)
    }

    /// What its last POP has charged, until that run has ended.
    pub fn rate_charge(&self) -> Option<&RateCharge> {
        self.options.as_ref()?.rate.as_ref()?.charge.as_deref()
    }

    /// Replaces what the last POP has charged.
    pub(crate) fn set_rate_charge(&mut self, charge: Option<Arc<RateCharge>>) {
        if charge.is_none() && self.rate_charge().is_none() {
            return;
        }
        let rate = &mut self.options_mut().rate;
        rate.get_or_insert_default().charge = charge;
        if rate.as_deref() == Some(&JobRate::default()) {
            *rate = None;
        }
    }

    pub fn failures(&self) -> u32 {
        self.history().map_or(0, |history| history.failures)
    }

    pub fn stalls(&self) -> u32 {
        self.history().map_or(0, |history| history.stalls)
    }

    pub fn error(&self) -> Option<&[u8]> {
        self.history()?.error.as_deref()
    }

    pub fn kind(&self) -> Option<&[u8]> {
        self.history()?.kind.as_deref()
    }

    pub fn result(&self) -> Option<&[u8]> {
        self.history()?.result.as_deref()
    }

    pub fn worker(&self) -> Option<&[u8]> {
        self.history()?.worker.as_deref()
    }

    pub fn progress(&self) -> Option<&[u8]> {
        self.history()?.progress.as_deref()
    }

    pub fn log(&self) -> Option<&Log> {
        self.history()?.log.as_deref()
    }

    pub fn is_cancelled(&self) -> bool {
        self.history().is_some_and(|history| history.cancelled)
    }

    /// What orders it among those that are ready; lower ones are served first.
    pub(crate) fn rank(&self) -> Rank {
        Rank::from(self.priority).saturating_add(self.options.as_ref().map_or(0, |options| options.shift))
    }

    /// Whether a POP handed it out and it has not ended since: it keeps its slot in its group.
    pub fn is_started(&self) -> bool {
        let unfinished = matches!(self.state, State::Ready | State::Delayed | State::Active);
        unfinished && (self.token > 0 || self.failures() > 0)
    }

    /// Ready since `at`, in the line of those that became so then.
    pub(crate) fn make_ready(&mut self, at: UnixMs, shift: Rank) {
        (self.state, self.at, self.ready_at) = (State::Ready, at, at);
        if shift != 0 || self.options.is_some() {
            self.options_mut().shift = shift;
        }
    }

    /// Removes the worker's name when no worker holds the job, and drops options that are empty
    /// then.
    pub(crate) fn clear_worker(&mut self) {
        let Some(options) = &mut self.options else { return };
        if let Some(history) = &mut options.history {
            history.worker = None;
            if **history == JobHistory::default() {
                options.history = None;
            }
        }
        if **options == JobOptions::default() {
            self.options = None;
        }
    }

    /// The number of the current or next attempt, from 1. For a dead job the number of its last
    /// attempt, 0 if it never ran.
    pub fn attempt(&self) -> u32 {
        let ended_by_failure = self.last_outcome == LastOutcome::Failed || self.token == 0;
        if self.state == State::Dead && ended_by_failure {
            return self.failures();
        }
        self.failures().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_200_bytes_fits_a_block_of_256() {
        // The allocator has blocks of 256 bytes, the next are of 320.
        assert!(size_of::<u64>() + size_of::<JobHeader>() + 200 <= 256);
        assert_eq!(size_of::<Option<Job>>(), 16);
    }
}
