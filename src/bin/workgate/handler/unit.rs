//! Jobs that one handler is given together: one, or a batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::handler::verdict::Verdict;
use crate::job::Job;
use crate::job::in_flight::Hold;

/// How one job ended.
#[derive(Debug, Clone)]
pub struct Finished {
    pub hold: Arc<Hold>,
    pub name: Option<Vec<u8>>,
    pub attempt: i64,
    pub took: Duration,
    pub verdict: Verdict,
}

/// What the worker hears of its units.
#[derive(Debug)]
pub struct Report {
    pub finished: Vec<Finished>,
    /// When a unit is over: its slots, which are free.
    pub slots: usize,
}

/// The jobs of one unit. When it is dropped, its slots are free and jobs without an end are
/// abandoned.
#[derive(Debug)]
pub struct Unit {
    jobs: Vec<Job>,
    holds: Vec<Arc<Hold>>,
    open: Vec<bool>,
    begun: Instant,
    is_batch: bool,
    slots: usize,
    reports: UnboundedSender<Report>,
}

impl Unit {
    pub fn new(
        jobs: Vec<Job>,
        holds: Vec<Arc<Hold>>,
        batch: Option<u16>,
        reports: UnboundedSender<Report>,
    ) -> Self {
        let open = vec![true; jobs.len()];
        let slots = usize::from(batch.unwrap_or(1));
        Unit { jobs, holds, open, begun: Instant::now(), is_batch: batch.is_some(), slots, reports }
    }

    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    pub fn hold(&self, place: usize) -> &Arc<Hold> {
        &self.holds[place]
    }

    /// Whether the jobs are handed over together.
    pub fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// The place of a run that has not ended.
    pub fn place_of(&self, run: u64) -> Option<usize> {
        let place = self.holds.binary_search_by_key(&run, |hold| hold.run).ok()?;
        self.open[place].then_some(place)
    }

    pub fn is_over(&self) -> bool {
        !self.open.contains(&true)
    }

    /// The places of the jobs that have not ended.
    pub fn open_places(&self) -> Vec<usize> {
        (0..self.open.len()).filter(|place| self.open[*place]).collect()
    }

    pub fn take_payload(&mut self, place: usize) -> Vec<u8> {
        std::mem::take(&mut self.jobs[place].payload)
    }

    /// The end of one job.
    pub fn end(&mut self, place: usize, verdict: Verdict) {
        self.end_several(vec![(place, verdict)]);
    }

    /// The end of every job that has none yet.
    pub fn end_rest(&mut self, verdict: impl Fn() -> Verdict) {
        let ends = self.open_places().into_iter().map(|place| (place, verdict())).collect();
        self.end_several(ends);
    }

    /// Like [`Unit::end_rest`], of a unit that is of no more use.
    #[cfg(feature = "null-handler")]
    pub fn end_all(mut self, verdict: impl Fn() -> Verdict) {
        self.end_rest(verdict);
    }

    /// The ends of several jobs, reported together; only the first end of a job counts.
    pub fn end_several(&mut self, ends: Vec<(usize, Verdict)>) {
        let took = self.begun.elapsed();
        let mut finished = Vec::with_capacity(ends.len());
        for (place, verdict) in ends {
            if !std::mem::replace(&mut self.open[place], false) {
                continue;
            }
            let job = &mut self.jobs[place];
            let (name, attempt) = (job.name.take(), job.attempt);
            finished.push(Finished { hold: self.holds[place].clone(), name, attempt, took, verdict });
        }
        let slots = if self.is_over() { std::mem::take(&mut self.slots) } else { 0 };
        if !finished.is_empty() || slots > 0 {
            // The worker hears reports until its units have ended.
            let _ = self.reports.send(Report { finished, slots });
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        self.end_rest(|| Verdict::Abandoned);
    }
}
