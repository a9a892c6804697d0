//! One job: by itself, and as it is looked at where it lies.

use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome, State};
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::payload::{HEADER_BYTES, Payload};
use crate::domain::jobq::state::shared_rate::{DEFAULT_COST, JobRate, RateCharge};
#[cfg(test)]
use crate::domain::jobq::state::unique_keys::Unique;
use crate::domain::time::UnixMs;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The number of a row of STATS BY, from 1; 0 is the rest.
pub(crate) type RowNumber = u8;

/// A job by itself: one that joins a table, has left it or is being changed. Where it lies is
/// described at [`JobTable`](crate::domain::jobq::state::job_table::JobTable).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    pub(super) header: JobHeader,
    /// A queue may hold millions of jobs, so fields that most of them leave empty belong here.
    pub options: Option<Box<JobOptions>>,
    pub(super) payload: Payload,
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
    pub(crate) fn memory_bytes(&self) -> usize {
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

impl Deref for Job {
    type Target = JobHeader;

    fn deref(&self) -> &JobHeader {
        &self.header
    }
}

impl DerefMut for Job {
    fn deref_mut(&mut self) -> &mut JobHeader {
        &mut self.header
    }
}

impl Job {
    pub fn new(header: JobHeader, payload: Payload) -> Self {
        Job { header, options: None, payload }
    }

    /// Answers whatever is asked of a job.
    #[inline]
    pub fn read(&self) -> BorrowedJob<'_> {
        BorrowedJob { header: self.header, options: self.options.as_deref(), payload: &self.payload }
    }

    pub(crate) fn set_payload(&mut self, payload: Payload) {
        self.payload = payload;
    }

    /// The same job, changed.
    #[cfg(test)]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Job)) -> Self {
        change(&mut self);
        self
    }

    pub fn options_mut(&mut self) -> &mut JobOptions {
        self.options.get_or_insert_default()
    }

    pub fn history_mut(&mut self) -> &mut JobHistory {
        self.options_mut().history.get_or_insert_default()
    }

    pub(crate) fn lifetime_mut(&mut self) -> Option<&mut JobLifetime> {
        self.options.as_mut()?.lifetime.as_deref_mut()
    }

    #[cfg(test)]
    pub(crate) fn unique_mut(&mut self) -> Option<&mut Unique> {
        self.lifetime_mut()?.unique.as_mut()
    }

    /// Replaces what the last POP has charged.
    pub(crate) fn set_rate_charge(&mut self, charge: Option<Arc<RateCharge>>) {
        if charge.is_none() && self.read().rate_charge().is_none() {
            return;
        }
        let rate = &mut self.options_mut().rate;
        rate.get_or_insert_default().charge = charge;
        if rate.as_deref() == Some(&JobRate::default()) {
            *rate = None;
        }
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
}

/// A job of a table, or one by itself: its header as a copy, all else by reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BorrowedJob<'j> {
    pub(super) header: JobHeader,
    pub options: Option<&'j JobOptions>,
    pub(super) payload: &'j Payload,
}

impl Deref for BorrowedJob<'_> {
    type Target = JobHeader;

    #[inline]
    fn deref(&self) -> &JobHeader {
        &self.header
    }
}

impl<'j> BorrowedJob<'j> {
    pub fn payload(self) -> &'j [u8] {
        self.payload
    }

    /// A copy that is on its own.
    pub(crate) fn to_job(self) -> Job {
        let mut job = Job::new(self.header, self.payload.clone());
        job.options = self.options.cloned().map(Box::new);
        job
    }

    /// Bytes that it takes beside its place in the table, roughly.
    pub fn memory_bytes(self) -> usize {
        HEADER_BYTES + self.payload().len() + self.options.map_or(0, JobOptions::memory_bytes)
    }

    pub(crate) fn lifetime(self) -> Option<&'j JobLifetime> {
        self.options?.lifetime.as_deref()
    }

    pub fn history(self) -> Option<&'j JobHistory> {
        self.options?.history.as_deref()
    }

    pub fn id(self) -> Option<&'j [u8]> {
        self.options?.id.as_deref()
    }

    pub fn name(self) -> Option<&'j [u8]> {
        self.options?.name.as_deref()
    }

    /// Its row in STATS BY name.
    pub(crate) fn name_row(self) -> RowNumber {
        self.options.map_or(0, |options| options.name_row)
    }

    pub fn meta(self) -> Option<&'j [u8]> {
        self.options?.meta.as_deref()
    }

    pub fn group(self) -> Option<&'j Arc<[u8]>> {
        self.options?.group.as_ref()
    }

    /// `None` is as the queue says.
    pub fn backoff(self) -> Option<&'j Backoff> {
        self.options?.backoff.as_deref()
    }

    /// In milliseconds; 0 is as the POP says.
    pub fn lease(self) -> u64 {
        self.options.map_or(0, |options| options.lease)
    }

    pub fn is_lifo(self) -> bool {
        self.options.is_some_and(|options| options.lifo)
    }

    /// 0 is none.
    pub(crate) fn batch(self) -> BatchId {
        self.options.map_or(0, |options| options.batch)
    }

    /// What a run takes of the limits that a POP names.
    pub fn cost(self) -> u64 {
        self.options.and_then(|options| options.rate.as_ref()).map_or(DEFAULT_COST, |rate| rate.cost)
    }

    /// What its last POP has charged, until that run has ended.
    pub fn rate_charge(self) -> Option<&'j RateCharge> {
        self.options?.rate.as_ref()?.charge.as_deref()
    }

    pub fn failures(self) -> u32 {
        self.history().map_or(0, |history| history.failures)
    }

    pub fn stalls(self) -> u32 {
        self.history().map_or(0, |history| history.stalls)
    }

    pub fn error(self) -> Option<&'j [u8]> {
        self.history()?.error.as_deref()
    }

    pub fn kind(self) -> Option<&'j [u8]> {
        self.history()?.kind.as_deref()
    }

    pub fn result(self) -> Option<&'j [u8]> {
        self.history()?.result.as_deref()
    }

    pub fn worker(self) -> Option<&'j [u8]> {
        self.history()?.worker.as_deref()
    }

    pub fn progress(self) -> Option<&'j [u8]> {
        self.history()?.progress.as_deref()
    }

    pub fn log(self) -> Option<&'j Log> {
        self.history()?.log.as_deref()
    }

    pub fn is_cancelled(self) -> bool {
        self.history().is_some_and(|history| history.cancelled)
    }

    /// What orders it among those that are ready; lower ones are served first.
    pub(crate) fn rank(self) -> Rank {
        Rank::from(self.priority).saturating_add(self.options.map_or(0, |options| options.shift))
    }

    /// Whether a POP handed it out and it has not ended since: it keeps its slot in its group.
    pub fn is_started(self) -> bool {
        let unfinished = matches!(self.state, State::Ready | State::Delayed | State::Active);
        unfinished && (self.token > 0 || self.failures() > 0)
    }

    /// The number of the current or next attempt, from 1. For a dead job the number of its last
    /// attempt, 0 if it never ran.
    pub fn attempt(self) -> u32 {
        let ended_by_failure = self.last_outcome == LastOutcome::Failed || self.token == 0;
        if self.state == State::Dead && ended_by_failure {
            return self.failures();
        }
        self.failures().saturating_add(1)
    }
}
