//! Totals, and what STATS counts by NAME and by KIND.

use crate::domain::jobq::effect::AfterFail;
use crate::domain::jobq::history::breakdown::JobTimes;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::{Job, RowNumber};
use crate::domain::jobq::state::job_header::LastOutcome;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::totals::{Totals, increment};
use crate::domain::time::UnixMs;
use std::mem;

impl Queue {
    /// Counts one more of a total, of the queue and of the job's name.
    pub(crate) fn count_total(&mut self, serial: Serial, total: impl Fn(&mut Totals) -> &mut u64) {
        increment(total(&mut self.totals));
        let row = self.job(serial).map_or(0, |job| job.name_row());
        if let Some(row) = self.breakdowns.names.row_mut(row) {
            increment(total(&mut row.totals));
        }
    }

    /// Counts one more of a total of a KIND.
    pub(crate) fn count_kind(&mut self, kind: RowNumber, total: impl Fn(&mut Totals) -> &mut u64) {
        if let Some(row) = self.breakdowns.kinds.row_mut(kind) {
            increment(total(&mut row.totals));
        }
    }

    /// Counts a FAIL, of the queue, of the job's name and of its KIND.
    pub(crate) fn count_failure(&mut self, serial: Serial, kind: Option<&[u8]>, after_fail: AfterFail) {
        let then: fn(&mut Totals) -> &mut u64 = match after_fail {
            AfterFail::Retry { .. } => |totals| &mut totals.retried,
            AfterFail::Dead => |totals| &mut totals.died,
        };
        let row = kind.map_or(0, |kind| self.breakdowns.kinds.number_for(kind, self.clock));
        let failed: fn(&mut Totals) -> &mut u64 = |totals| &mut totals.failed;
        for total in [failed, then] {
            self.count_total(serial, total);
            self.count_kind(row, total);
        }
        if let Some(ran) = self.count_run(serial) {
            self.breakdowns.kinds.times_mut(row).run.count(ran);
        }
    }

    /// Counts how long a job has waited that is popped now. A job that was released, or whose lease
    /// ran out, stands where it stood before: its wait was counted then.
    pub(crate) fn count_wait(&mut self, serial: Serial) {
        let Some(job) = self.job(serial) else { return };
        if job.token == 0 || job.last_outcome == LastOutcome::Failed {
            let (waited, row) = (self.clock.saturating_sub(job.ready_at), job.name_row());
            self.breakdowns.names.times_mut(row).wait.count(waited);
        }
    }

    /// Counts how long the run of a job took that is acknowledged or failed now. Returns that.
    pub(crate) fn count_run(&mut self, serial: Serial) -> Option<u64> {
        let options = self.jobs.options_mut(serial)?;
        let (started, row) = (mem::take(&mut options.run_started), options.name_row);
        let ran = (started > 0).then(|| self.clock.saturating_sub(started))?;
        let times: &mut JobTimes = self.breakdowns.names.times_mut(row);
        times.run.count(ran);
        Some(ran)
    }
}

impl Job {
    /// Notes when a run begins: of a job with a NAME, or by a POP with a WORKER. A plain job would
    /// need room for it that it does not take otherwise.
    pub(crate) fn start_run(&mut self, has_worker: bool, now: UnixMs) {
        if let Some(options) = &mut self.options {
            options.run_started = if has_worker || options.name.is_some() { now } else { 0 };
        }
    }

    /// The run is over, or nobody can end it any more.
    pub(crate) fn forget_run(&mut self) {
        if let Some(options) = &mut self.options {
            options.run_started = 0;
        }
    }
}
