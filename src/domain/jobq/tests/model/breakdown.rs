//! The naive model of what STATS counts by NAME and by KIND.

use super::{Model, Row, Word};
use crate::domain::jobq::history::breakdown::{Breakdown, BreakdownRow, JobCounts, JobTimes};
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::*;
use crate::domain::time::UnixMs;
use std::collections::BTreeMap;

/// What has been counted of a name or kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted {
    pub totals: Totals,
    pub waits: Vec<u64>,
    pub runs: Vec<u64>,
}

/// By label; `None` is without one.
pub(crate) type Counts = BTreeMap<Option<Vec<u8>>, Counted>;

impl Model {
    /// One more of a total, of the queue and of a name.
    pub fn count(&mut self, name: Option<Vec<u8>>, total: impl Fn(&mut Totals) -> &mut u64) {
        *total(&mut self.totals) += 1;
        *total(&mut self.names.entry(name).or_default().totals) += 1;
    }

    pub fn count_wait(&mut self, nth: usize, now: UnixMs) {
        let row = &self.rows[nth];
        if row.token == 0 || matches!(row.word, Word::Failed(_)) {
            self.names.entry(row.name.clone()).or_default().waits.push(now - row.line);
        }
    }

    /// Returns how long the run took.
    pub fn count_run(&mut self, id: &[u8], now: UnixMs) -> Option<u64> {
        let row = self.rows.iter_mut().find(|row| row.id == id)?;
        let ran = now - row.run_started.take()?;
        self.names.entry(row.name.clone()).or_default().runs.push(ran);
        Some(ran)
    }

    pub fn check_breakdowns(&self, queue: &Queue) {
        let names = &queue.breakdowns.names;
        check(names, &self.names, |label, row| {
            let jobs = |states: &[State]| {
                let is_one = |job: &&Row| job.name.as_deref() == Some(label) && states.contains(&job.state);
                self.rows.iter().filter(is_one).count()
            };
            let waiting = jobs(&[State::Ready, State::Delayed, State::Blocked]);
            let (active, done, dead) = (jobs(&[State::Active]), jobs(&[State::Done]), jobs(&[State::Dead]));
            assert_eq!(row.jobs, JobCounts { waiting, active, done, dead });
        });
        let kinds = &queue.breakdowns.kinds;
        check(kinds, &self.kinds, |label, row| {
            let is_one = |job: &&Row| job.kind.as_deref() == Some(label) && job.state == State::Dead;
            let dead = self.rows.iter().filter(is_one).count();
            assert_eq!(row.jobs, JobCounts { dead, ..JobCounts::default() });
        });
        let rest = stats_by(Some(queue), BreakdownBy::Name, &stats(Some(queue), queue.clock), queue.clock);
        let unnamed = self.names.get(&None).map(|counted| counted.totals).unwrap_or_default();
        let seen = rest.last().expect("the rest").totals;
        assert_eq!((seen.pushed, seen.acked, seen.failed), (unnamed.pushed, unnamed.acked, unnamed.failed));
    }
}

/// There are fewer labels than there may be rows.
fn check(have: &Breakdown, expected: &Counts, check_jobs: impl Fn(&[u8], &BreakdownRow)) {
    let labels = expected.keys().flatten().count();
    assert_eq!(have.rows().len(), labels);
    for row in have.rows() {
        let counted = &expected[&Some(row.label.to_vec())];
        assert_eq!((row.totals, &row.times), (counted.totals, &times(counted)));
        check_jobs(&row.label, row);
    }
    assert_eq!(have.rest, expected.get(&None).map(times).unwrap_or_default());
}

fn times(counted: &Counted) -> JobTimes {
    let histogram = |durations: &[u64]| {
        let mut histogram = DurationHistogram::default();
        durations.iter().for_each(|ms| histogram.count(*ms));
        histogram
    };
    JobTimes { wait: histogram(&counted.waits), run: histogram(&counted.runs) }
}
