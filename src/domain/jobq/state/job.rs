//! One job.

use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::job_log::Log;
use crate::domain::jobq::state::lifetime::Life;
use crate::domain::time::UnixMs;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::{fmt, mem};
use triomphe::{HeaderSlice, UniqueArc};

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

    /// Whether it is over with a job in this state, unless an operator revives it.
    pub fn is_end(self) -> bool {
        matches!(self, State::Done | State::Dead)
    }
}

/// How the last run ended, as its worker said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Settled {
    /// It has not said anything yet.
    #[default]
    Open,
    Acked,
    Failed,
    Released,
}

impl Settled {
    pub const ALL: [Settled; 4] = [Settled::Open, Settled::Acked, Settled::Failed, Settled::Released];
}

/// A job: its [`Head`] and its payload, in one allocation. A queue may hold millions, so what most jobs leave empty
/// belongs into [`Extra`].
pub struct Job(UniqueArc<HeaderSlice<Head, [u8]>>);

/// What every job has. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    pub state: State,
    pub settled: Settled,
    pub retries: u16,
    /// Lower ones are served first.
    pub priority: i32,
    /// What orders the job among those of its state: when it became ready, is due, its lease ends,
    /// it began to wait for others, or ended.
    pub at: UnixMs,
    /// Its place in the line: when it became ready. Kept while it is active, for coming back to; while it waits for
    /// other jobs, when it is due at the earliest.
    pub place: UnixMs,
    pub created: UnixMs,
    /// Of the last POP, 0 before the first.
    pub token: u64,
    pub extra: Option<Box<Extra>>,
}

/// What a push may say of a job and mostly does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// The id that its pusher chose.
    pub id: Option<Box<[u8]>>,
    pub name: Option<Box<[u8]>>,
    pub meta: Option<Box<[u8]>>,
    /// One of its group goes after the other; shared with the line.
    pub group: Option<Arc<[u8]>>,
    /// What it says about its own life.
    pub life: Option<Box<Life>>,
    /// `None` is as the queue says.
    pub backoff: Option<Box<Backoff>>,
    /// In milliseconds; 0 is as the POP says.
    pub lease: u64,
    /// What aging adds to its priority since it is ready.
    pub shift: Rank,
    /// Joins the head of those of its priority, not the end.
    pub lifo: bool,
    pub story: Option<Box<Story>>,
}

/// What has happened to a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Story {
    pub failures: u32,
    pub stalls: u32,
    /// Its cancellation was asked for while it was active: its worker is told, and it is not tried again.
    pub cancelled: bool,
    /// Of the last failure.
    pub error: Option<Box<[u8]>>,
    pub result: Option<Box<[u8]>>,
    /// The name of the worker that holds it; only while it is active.
    pub worker: Option<Box<[u8]>>,
    /// What its worker said last of how far it is.
    pub progress: Option<Box<[u8]>>,
    /// What its workers wrote down.
    pub log: Option<Box<Log>>,
}

impl Story {
    pub(crate) fn log_mut(&mut self) -> &mut Log {
        self.log.get_or_insert_default()
    }

    fn weight(&self) -> usize {
        let texts = [&self.error, &self.result, &self.worker, &self.progress];
        size_of::<Self>()
            + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
            + self.log.as_ref().map_or(0, |log| log.weight())
    }
}

impl Extra {
    fn weight(&self) -> usize {
        let texts = [&self.id, &self.name, &self.meta];
        size_of::<Self>()
            + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
            + self.group.as_ref().map_or(0, |group| group.len())
            + self.life.as_ref().map_or(0, |life| life.weight())
            + self.backoff.as_ref().map_or(0, |backoff| backoff.weight())
            + self.story.as_ref().map_or(0, |story| story.weight())
    }
}

/// The payload of a job that is still to be made, already where the job will have it: a push copies it once.
#[derive(Clone, Default)]
pub struct Payload(Option<Job>);

impl From<&[u8]> for Payload {
    fn from(payload: &[u8]) -> Self {
        Payload(Some(Job::of(Head::default(), payload)))
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
    type Target = Head;

    fn deref(&self) -> &Head {
        &self.0.header
    }
}

impl DerefMut for Job {
    fn deref_mut(&mut self) -> &mut Head {
        &mut self.0.header
    }
}

impl Clone for Job {
    fn clone(&self) -> Self {
        Job::of(Head::clone(self), self.payload())
    }
}

impl Default for Job {
    fn default() -> Self {
        Job::of(Head::default(), &[])
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
    pub fn new(head: Head, payload: Payload) -> Self {
        let mut job = payload.0.unwrap_or_default();
        *job = head;
        job
    }

    fn of(head: Head, payload: &[u8]) -> Self {
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
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Head)) -> Self {
        change(&mut self);
        self
    }

    /// Bytes that it takes, roughly.
    pub fn weight(&self) -> usize {
        size_of::<u64>()
            + size_of::<Head>()
            + self.payload().len()
            + self.extra.as_ref().map_or(0, |extra| extra.weight())
    }
}

impl Head {
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub fn story(&self) -> Option<&Story> {
        self.extra.as_ref()?.story.as_deref()
    }

    pub fn story_mut(&mut self) -> &mut Story {
        self.extra_mut().story.get_or_insert_default()
    }

    pub fn id(&self) -> Option<&[u8]> {
        self.extra.as_ref()?.id.as_deref()
    }

    pub fn name(&self) -> Option<&[u8]> {
        self.extra.as_ref()?.name.as_deref()
    }

    pub fn meta(&self) -> Option<&[u8]> {
        self.extra.as_ref()?.meta.as_deref()
    }

    pub fn group(&self) -> Option<&Arc<[u8]>> {
        self.extra.as_ref()?.group.as_ref()
    }

    /// `None` is as the queue says.
    pub fn backoff(&self) -> Option<&Backoff> {
        self.extra.as_ref()?.backoff.as_deref()
    }

    /// In milliseconds; 0 is as the POP says.
    pub fn lease(&self) -> u64 {
        self.extra.as_ref().map_or(0, |extra| extra.lease)
    }

    pub fn is_lifo(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.lifo)
    }

    pub fn failures(&self) -> u32 {
        self.story().map_or(0, |story| story.failures)
    }

    pub fn stalls(&self) -> u32 {
        self.story().map_or(0, |story| story.stalls)
    }

    pub fn error(&self) -> Option<&[u8]> {
        self.story()?.error.as_deref()
    }

    pub fn result(&self) -> Option<&[u8]> {
        self.story()?.result.as_deref()
    }

    pub fn worker(&self) -> Option<&[u8]> {
        self.story()?.worker.as_deref()
    }

    pub fn progress(&self) -> Option<&[u8]> {
        self.story()?.progress.as_deref()
    }

    pub fn log(&self) -> Option<&Log> {
        self.story()?.log.as_deref()
    }

    pub fn is_cancelled(&self) -> bool {
        self.story().is_some_and(|story| story.cancelled)
    }

    /// What orders it among those that are ready; lower ones are served first.
    pub(crate) fn rank(&self) -> Rank {
        Rank::from(self.priority).saturating_add(self.extra.as_ref().map_or(0, |extra| extra.shift))
    }

    /// It was handed out before, and has not ended since: it holds its place in its group.
    pub fn is_begun(&self) -> bool {
        let unfinished = matches!(self.state, State::Ready | State::Delayed | State::Active);
        unfinished && (self.token > 0 || self.failures() > 0)
    }

    /// Ready since `at`, in the line of those that became so then.
    pub(crate) fn becomes_ready(&mut self, at: UnixMs, shift: Rank) {
        (self.state, self.at, self.place) = (State::Ready, at, at);
        if shift != 0 || self.extra.is_some() {
            self.extra_mut().shift = shift;
        }
    }

    /// Nobody holds it any more. What says nothing then is let go.
    pub(crate) fn forget_worker(&mut self) {
        let Some(extra) = &mut self.extra else { return };
        if let Some(story) = &mut extra.story {
            story.worker = None;
            if **story == Story::default() {
                extra.story = None;
            }
        }
        if **extra == Extra::default() {
            self.extra = None;
        }
    }

    /// Which run the current or next one is, from 1.
    pub fn attempt(&self) -> u32 {
        self.failures().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_200_bytes_fits_a_block_of_256() {
        // The allocator has blocks of 256 bytes, the next are of 320.
        assert!(size_of::<u64>() + size_of::<Head>() + 200 <= 256);
        assert_eq!(size_of::<Option<Job>>(), 16);
    }
}
