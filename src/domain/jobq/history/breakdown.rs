//! What STATS counts by NAME or by KIND: a row for each of the first hundred labels.
//!
//! A job carries the number of its row, so a change of its state finds the row without looking for
//! the label. A label that comes when all rows are taken gets the row that has been without jobs
//! for longest. Where each row has jobs, the label has none, and its jobs carry 0: they belong to
//! the rest, whose counts are those of the queue less those of the rows.

use crate::domain::jobq::history::duration_histogram::DurationHistogram;
use crate::domain::jobq::state::job::RowNumber;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most rows of one kind of label.
pub(crate) const MAX_ROWS: usize = 100;

/// How long jobs waited and ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobTimes {
    /// From when a job was ready to its POP.
    pub wait: DurationHistogram,
    /// From a POP to ACK or FAIL.
    pub run: DurationHistogram,
}

impl JobTimes {
    fn add(&mut self, other: &Self) {
        self.wait.add(&other.wait);
        self.run.add(&other.run);
    }
}

/// How many jobs there are now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Ready, delayed and blocked ones.
    pub waiting: usize,
    pub active: usize,
    pub done: usize,
    pub dead: usize,
}

impl JobCounts {
    pub(crate) fn of_state(&mut self, state: State) -> &mut usize {
        match state {
            State::Ready | State::Delayed | State::Blocked => &mut self.waiting,
            State::Active => &mut self.active,
            State::Done => &mut self.done,
            State::Dead => &mut self.dead,
        }
    }

    fn is_empty(&self) -> bool {
        *self == JobCounts::default()
    }
}

/// What is counted of one label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BreakdownRow {
    pub label: Arc<[u8]>,
    pub jobs: JobCounts,
    pub totals: Totals,
    pub times: JobTimes,
    /// Since when it has had no jobs; 0 while it has some.
    pub empty_since: UnixMs,
}

/// The rows of one kind of label, and the times of the rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breakdown {
    rows: Vec<BreakdownRow>,
    numbers: BTreeMap<Arc<[u8]>, RowNumber>,
    /// The rows without jobs.
    empty: BTreeSet<(UnixMs, RowNumber)>,
    pub rest: JobTimes,
}

impl Breakdown {
    /// In the order of their numbers.
    pub fn rows(&self) -> &[BreakdownRow] {
        &self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rest == JobTimes::default()
    }

    /// The row of a label, a new one if need be; 0 if there is no room for one.
    pub fn number_for(&mut self, label: &[u8], now: UnixMs) -> RowNumber {
        // 0 stands for a row with jobs.
        let now = now.max(1);
        if let Some(&number) = self.numbers.get(label) {
            let row = &mut self.rows[usize::from(number) - 1];
            if row.empty_since > 0 {
                self.empty.remove(&(row.empty_since, number));
                row.empty_since = now;
                self.empty.insert((now, number));
            }
            return number;
        }
        let number = if self.rows.len() < MAX_ROWS {
            self.rows.push(BreakdownRow::default());
            self.rows.len() as RowNumber
        } else if let Some((_, number)) = self.empty.pop_first() {
            let given_up = &self.rows[usize::from(number) - 1];
            self.numbers.remove(&given_up.label);
            self.rest.add(&given_up.times);
            number
        } else {
            return 0;
        };
        let label: Arc<[u8]> = label.into();
        self.numbers.insert(Arc::clone(&label), number);
        self.empty.insert((now, number));
        self.rows[usize::from(number) - 1] =
            BreakdownRow { label, empty_since: now, ..BreakdownRow::default() };
        number
    }

    pub fn row(&self, number: RowNumber) -> Option<&BreakdownRow> {
        self.rows.get(usize::from(number).checked_sub(1)?)
    }

    pub fn row_mut(&mut self, number: RowNumber) -> Option<&mut BreakdownRow> {
        self.rows.get_mut(usize::from(number).checked_sub(1)?)
    }

    pub fn times_mut(&mut self, number: RowNumber) -> &mut JobTimes {
        match usize::from(number).checked_sub(1).and_then(|at| self.rows.get_mut(at)) {
            Some(row) => &mut row.times,
            None => &mut self.rest,
        }
    }

    /// A job of the row changes its state; `None` is not in the queue.
    pub fn move_job(&mut self, number: RowNumber, from: Option<State>, to: Option<State>, now: UnixMs) {
        let Some(row) = usize::from(number).checked_sub(1).and_then(|at| self.rows.get_mut(at)) else {
            return;
        };
        if let Some(from) = from {
            *row.jobs.of_state(from) -= 1;
        }
        if let Some(to) = to {
            *row.jobs.of_state(to) += 1;
        }
        let is_empty = row.jobs.is_empty();
        if is_empty != (row.empty_since > 0) {
            let since = if is_empty { now.max(1) } else { 0 };
            let before = std::mem::replace(&mut row.empty_since, since);
            self.empty.remove(&(before, number));
            self.empty.extend(is_empty.then_some((since, number)));
        }
    }

    /// The same rows, as they are before any job is in the queue.
    pub fn without_jobs(&self) -> Self {
        let mut copy = self.clone();
        for row in &mut copy.rows {
            row.jobs = JobCounts::default();
        }
        copy
    }

    /// Adds a row that was saved, after those before it. Returns false if the label is taken or
    /// there are too many.
    pub fn restore(&mut self, row: BreakdownRow) -> bool {
        let number = self.rows.len() + 1;
        let is_new = number <= MAX_ROWS && !self.numbers.contains_key(&row.label);
        if is_new {
            let number = number as RowNumber;
            self.numbers.insert(Arc::clone(&row.label), number);
            self.empty.extend((row.empty_since > 0).then_some((row.empty_since, number)));
            self.rows.push(row);
        }
        is_new
    }

    /// Whether exactly the rows without jobs say that they have none.
    pub fn is_sound(&self) -> bool {
        self.rows.iter().all(|row| row.jobs.is_empty() == (row.empty_since > 0))
    }

    /// Bytes, roughly.
    pub fn memory(&self) -> usize {
        let labels: usize = self.rows.iter().map(|row| row.label.len()).sum();
        self.rows.capacity() * size_of::<BreakdownRow>() + self.rows.len() * 80 + labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(nth: usize) -> Vec<u8> {
        format!("name-{nth}").into_bytes()
    }

    #[test]
    fn a_label_without_room_gets_the_row_that_was_empty_for_longest() {
        let mut breakdown = Breakdown::default();
        for nth in 0..MAX_ROWS {
            let number = breakdown.number_for(&label(nth), 10);
            assert_eq!(usize::from(number), nth + 1);
            breakdown.move_job(number, None, Some(State::Ready), 10);
        }
        assert_eq!(breakdown.number_for(b"late", 11), 0, "every row has jobs");
        breakdown.times_mut(7).run.count(3);
        breakdown.move_job(9, Some(State::Ready), None, 12);
        breakdown.move_job(7, Some(State::Ready), None, 11);
        assert_eq!(breakdown.number_for(b"late", 13), 7);
        assert_eq!(breakdown.rest.run.counts()[0], 1, "what the row had counted is of the rest");
        assert_eq!(breakdown.row(7).unwrap().times, JobTimes::default());
        assert_eq!(breakdown.number_for(b"later", 14), 9);
        assert_eq!(breakdown.number_for(b"late", 15), 7, "it has its row, which is the latest now");
        assert_eq!(breakdown.number_for(b"latest", 16), 9, "so another one is given up");
        assert!(breakdown.is_sound());
    }

    #[test]
    fn two_hundred_rows_take_little_room() {
        let mut breakdown = Breakdown::default();
        for nth in 0..10_000 {
            breakdown.number_for(&label(nth), nth as u64);
        }
        assert_eq!(breakdown.rows().len(), MAX_ROWS);
        assert!(breakdown.memory() < 80 * 1024, "{}", breakdown.memory());
    }
}
