//! The naive model's order: whose turn it is, found by looking at all jobs each time.

use crate::domain::jobq::tests::model::{Model, Row};
use crate::domain::jobq::*;
use crate::domain::ratelimit::LimitKind;
use crate::domain::time::UnixMs;

impl Row {
    pub fn is_started(&self) -> bool {
        self.started && matches!(self.state, State::Ready | State::Delayed | State::Active)
    }

    pub fn make_ready(&mut self, at: UnixMs, shift: i64) {
        (self.state, self.at, self.line, self.shift) = (State::Ready, at, at, shift);
    }

    fn rank(&self) -> i64 {
        i64::from(self.priority) + self.shift
    }
}

impl Model {
    pub fn shift(&self, at: UnixMs) -> i64 {
        let since = at.saturating_sub(self.aged.1);
        self.aged.0 + self.config.aging.map_or(0, |every| (since / every) as i64)
    }

    /// Groups come with their first job that is ready or begun, and go with the last.
    pub fn sync(&mut self) {
        let there = |row: &&Row| row.state == State::Ready || row.is_started();
        let groups: Vec<Vec<u8>> =
            self.rows.iter().filter(there).filter_map(|row| row.group.clone()).collect();
        self.turns.retain(|group, _| groups.contains(group));
        for group in groups {
            if !self.turns.contains_key(&group) {
                self.last_turn += 1;
                self.turns.insert(group, self.last_turn);
            }
        }
    }

    fn turn(&self, row: &Row) -> u64 {
        row.group.as_ref().map_or(self.ungrouped_turn, |group| self.turns[group])
    }

    /// Whether the job's group lets it go.
    fn may_go(&self, row: &Row) -> bool {
        let Some(group) = &row.group else { return true };
        let limit = self.config.group_concurrency.map_or(usize::MAX, |limit| limit as usize);
        let of_group = self.rows.iter().filter(|other| other.group.as_ref() == Some(group));
        let in_the_way =
            |other: &&Row| other.state == State::Active || (!row.is_started() && other.is_started());
        of_group.filter(in_the_way).count() < limit
    }

    fn starts_left(&self, now: UnixMs) -> usize {
        let Some(rule) = self.config.rate else { return usize::MAX };
        assert_eq!(rule.kind, LimitKind::Window, "the model knows no other");
        let used = self.starts.iter().filter(|start| **start + rule.period_ms > now).count();
        (rule.count as usize).saturating_sub(used)
    }

    /// The next job that a POP hands out.
    pub fn next(&self, now: UnixMs) -> Option<usize> {
        let paused = self.pause.is_some_and(|pause| pause.until.is_none_or(|until| now < until));
        let active = self.rows.iter().filter(|row| row.state == State::Active).count();
        let full = self.config.concurrency.is_some_and(|limit| active >= limit as usize);
        if paused || full || self.starts_left(now) == 0 {
            return None;
        }
        let ready = self.rows.iter().enumerate().filter(|(_, row)| row.state == State::Ready);
        let first = ready.filter(|(_, row)| self.may_go(row)).min_by_key(|(nth, row)| {
            // Those of one time in the order of pushing; LIFO is all of that backwards, in front.
            let sign = if row.lifo { -1 } else { 1 };
            let retry_first = row.group.is_some() && row.is_started();
            (row.rank(), self.turn(row), !retry_first, sign, sign * row.line as i64, sign * *nth as i64)
        })?;
        Some(first.0)
    }

    pub fn served(&mut self, nth: usize, now: UnixMs) {
        if self.config.rate.is_some() {
            self.starts.push(now);
        }
        self.last_turn += 1;
        let turn = self.last_turn;
        match &self.rows[nth].group {
            None => self.ungrouped_turn = turn,
            Some(group) => _ = self.turns.insert(group.clone(), turn),
        }
    }
}
