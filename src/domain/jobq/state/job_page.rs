//! A page of the table of jobs: those of sixteen neighbouring serials.
//!
//! A job that waits as it was pushed is one allocation: its payload, behind what every job has.
//! What runs and options need beyond that stands in columns of the page. A column is there only
//! once one of its jobs has needed it. Neighbours are popped together, so they mostly share it.

use crate::domain::jobq::state::job::{BorrowedJob, Job, JobOptions};
use crate::domain::jobq::state::payload::Payload;
use std::mem;
use std::ops::{Deref, DerefMut};

/// The serials of one page. Larger pages take less memory for jobs that are close together, and
/// more for a job that is left alone.
pub(super) const PAGE: u64 = 16;

type Column<T> = Box<[T; PAGE as usize]>;

#[derive(Debug, Default)]
pub(super) struct Page {
    jobs: Column<Option<Payload>>,
    runs: Option<Column<Run>>,
    options: Option<Column<Option<Box<JobOptions>>>>,
}

/// What a job has that is not as it was pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Run {
    /// What is added to `ready_at` for `at`, modulo 2^64.
    at: u64,
    token: u64,
}

impl Page {
    pub fn is_empty(&self) -> bool {
        self.jobs.iter().all(Option::is_none)
    }

    /// The place of the last job.
    pub fn last(&self) -> Option<usize> {
        self.jobs.iter().rposition(Option::is_some)
    }

    #[inline]
    pub fn get(&self, place: usize) -> Option<BorrowedJob<'_>> {
        let payload = self.jobs[place].as_ref()?;
        let mut header = payload.header();
        if let Some(runs) = &self.runs {
            header.at = header.ready_at.wrapping_add(runs[place].at);
            header.token = runs[place].token;
        }
        let options = self.options.as_ref().and_then(|options| options[place].as_deref());
        Some(BorrowedJob { header, options, payload })
    }

    pub fn options_mut(&mut self, place: usize) -> Option<&mut JobOptions> {
        self.options.as_mut()?[place].as_deref_mut()
    }

    pub fn take(&mut self, place: usize) -> Option<Job> {
        let payload = self.jobs[place].take()?;
        let mut header = payload.header();
        if let Some(runs) = &mut self.runs {
            let run = mem::take(&mut runs[place]);
            header.at = header.ready_at.wrapping_add(run.at);
            header.token = run.token;
        }
        let options = self.options.as_mut().and_then(|options| options[place].take());
        Some(Job { header, options, payload })
    }

    /// Puts a job where there is none. Returns the bytes of columns that it needed first.
    pub fn put(&mut self, place: usize, job: Job) -> usize {
        let Job { header, options, mut payload } = job;
        payload.set_header(&header);
        self.jobs[place] = Some(payload);
        let run = Run { at: header.at.wrapping_sub(header.ready_at), token: header.token };
        let mut added = 0;
        if self.runs.is_some() || run != Run::default() {
            let runs = self.runs.get_or_insert_with(|| {
                added += size_of::<[Run; PAGE as usize]>();
                Column::default()
            });
            runs[place] = run;
        }
        if self.options.is_some() || options.is_some() {
            let column = self.options.get_or_insert_with(|| {
                added += size_of::<[Option<Box<JobOptions>>; PAGE as usize]>();
                Column::default()
            });
            column[place] = options;
        }
        added
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, BorrowedJob<'_>)> {
        (0..self.jobs.len()).filter_map(|place| Some((place, self.get(place)?)))
    }

    /// Bytes that it takes without its jobs.
    pub fn memory(&self) -> usize {
        size_of::<[Option<Payload>; PAGE as usize]>()
            + self.runs.as_ref().map_or(0, |_| size_of::<[Run; PAGE as usize]>())
            + self.options.as_ref().map_or(0, |_| size_of::<[Option<Box<JobOptions>>; PAGE as usize]>())
    }
}

/// A job of a page while it is changed. It goes back to its place when this is dropped.
#[derive(Debug)]
pub(crate) struct JobMut<'t> {
    job: Job,
    place: usize,
    page: &'t mut Page,
    /// Of all pages.
    memory: &'t mut usize,
}

impl<'t> JobMut<'t> {
    #[inline]
    pub(super) fn of(page: &'t mut Page, place: usize, memory: &'t mut usize) -> Option<Self> {
        Some(JobMut { job: page.take(place)?, place, page, memory })
    }
}

impl Drop for JobMut<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.memory += self.page.put(self.place, mem::take(&mut self.job));
    }
}

impl Deref for JobMut<'_> {
    type Target = Job;

    #[inline]
    fn deref(&self) -> &Job {
        &self.job
    }
}

impl DerefMut for JobMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Job {
        &mut self.job
    }
}
