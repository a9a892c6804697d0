//! The rows of STATS BY name and BY kind, and which of them a job belongs to.

use crate::domain::jobq::history::breakdown::Breakdown;
use crate::domain::jobq::state::job::{BorrowedJob, Job, JobOptions, RowNumber};
use crate::domain::jobq::state::job_header::State;
use crate::domain::time::UnixMs;
use std::mem;

/// The rows of NAMEs and of KINDs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breakdowns {
    pub names: Breakdown,
    pub kinds: Breakdown,
}

impl Breakdowns {
    /// A job changes its state; `None` is not in the queue.
    #[inline]
    pub fn move_job(&mut self, job: &mut Job, from: Option<State>, to: Option<State>, now: UnixMs) {
        if let Some(options) = &mut job.options {
            self.move_options(options, from, to, now);
        }
    }

    fn move_options(
        &mut self,
        options: &mut JobOptions,
        from: Option<State>,
        to: Option<State>,
        now: UnixMs,
    ) {
        if options.name_row > 0 {
            self.names.move_job(options.name_row, from, to, now);
        }
        let Some(history) = &mut options.history else { return };
        if from == Some(State::Dead) {
            self.kinds.move_job(mem::take(&mut history.kind_row), from, None, now);
        }
        if to == Some(State::Dead) {
            // A job that is loaded or copied has its row already.
            if from.is_some() {
                let kind = history.kind.as_deref();
                history.kind_row = kind.map_or(0, |kind| self.kinds.number_for(kind, now));
            }
            self.kinds.move_job(history.kind_row, None, to, now);
        }
    }

    /// Gives a job of an older file the rows that it would have got.
    pub fn assign(&mut self, job: &mut Job, now: UnixMs) {
        let is_dead = job.state == State::Dead;
        let Some(options) = &mut job.options else { return };
        if let Some(name) = &options.name {
            options.name_row = self.names.number_for(name, now);
        }
        if let Some(history) = options.history.as_mut().filter(|_| is_dead)
            && let Some(kind) = &history.kind
        {
            history.kind_row = self.kinds.number_for(kind, now);
        }
    }

    /// Whether the rows that a job carries are those of its name and its kind.
    pub fn agree_with(&self, job: BorrowedJob<'_>) -> bool {
        let is_of = |breakdown: &Breakdown, number: RowNumber, label: Option<&[u8]>| {
            number == 0 || breakdown.row(number).is_some_and(|row| label == Some(&*row.label))
        };
        let kind_row = job.history().map_or(0, |history| history.kind_row);
        is_of(&self.names, job.name_row(), job.name())
            && is_of(&self.kinds, kind_row, job.kind().filter(|_| job.state == State::Dead))
    }
}
