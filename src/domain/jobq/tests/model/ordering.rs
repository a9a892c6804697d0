//! The naive model's order: whose turn it is, found by looking at all jobs each time.

use crate::domain::jobq::tests::model::{Model, Row};
use crate::domain::jobq::*;
use crate::domain::ratelimit::LimitKind;
use crate::domain::time::UnixMs;
use std::collections::BTreeSet;

impl Row {
    pub fn is_started(&self) -> bool {
        self.started && matches!(self.state, State::Ready | State::Delayed | State::Active)
    }

    pub fn make_ready(&mut self, at: UnixMs, shift: i64) {
        (self.state, self.at, self.line, self.shift) = (State::Ready, at, at, shift);
    }

    fn slot(&self) -> (bool, u64) {
        if self.batch > 0 { (true, self.batch) } else { (false, self.serial) }
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

    /// Whether the job's group lets it go: a slot has one run at a time.
    fn may_go(&self, row: &Row) -> bool {
        let Some(group) = &row.group else { return true };
        if self.groups.closed.contains_key(group) {
            return false;
        }
        let own = self.groups.widths.get(group).copied();
        let limit = own.or(self.config.group_concurrency).map_or(usize::MAX, |limit| limit as usize);
        let of_group = self.rows.iter().filter(|other| other.group.as_ref() == Some(group));
        let in_the_way =
            |other: &&Row| other.state == State::Active || (!row.is_started() && other.is_started());
        let slots: BTreeSet<_> = of_group.filter(in_the_way).map(Row::slot).collect();
        slots.len() < limit && !(row.is_started() && slots.contains(&row.slot()))
    }

    fn starts_left(&self, now: UnixMs) -> usize {
        let Some(rule) = self.config.rate else { return usize::MAX };
        assert_eq!(rule.kind, LimitKind::Window, "the model knows no other");
        let used = self.starts.iter().filter(|start| **start + rule.period_ms > now).count();
        (rule.count as usize).saturating_sub(used)
    }

    /// How many jobs a POP may hand out.
    fn room(&self, now: UnixMs) -> usize {
        let paused = self.pause.is_some_and(|pause| pause.until.is_none_or(|until| now < until));
        let active = self.rows.iter().filter(|row| row.state == State::Active).count();
        let limit = self.config.concurrency.map_or(usize::MAX, |limit| limit as usize);
        if paused { 0 } else { limit.saturating_sub(active).min(self.starts_left(now)) }
    }

    fn order(&self, nth: usize) -> impl Ord + use<> {
        let row = &self.rows[nth];
        // Those of one time in the order of pushing; LIFO is all of that backwards, in front.
        let sign = if row.lifo { -1 } else { 1 };
        let retry_first = row.group.is_some() && row.is_started();
        (row.rank(), self.turn(row), !retry_first, sign, sign * row.line as i64, sign * nth as i64)
    }

    /// The ready jobs for which `is_one` holds, in the order of POP.
    fn ready(&self, is_one: impl Fn(&Row) -> bool) -> Vec<usize> {
        let ready = self.rows.iter().enumerate();
        let ready = ready.filter(|(_, row)| row.state == State::Ready && is_one(row));
        let mut ready: Vec<usize> = ready.map(|(nth, _)| nth).collect();
        ready.sort_by_key(|nth| self.order(*nth));
        ready
    }

    /// The next job that a POP hands out, of those for which `is_one` holds.
    fn next(&self, is_one: impl Fn(&Row) -> bool) -> Option<usize> {
        self.ready(|row| is_one(row) && self.may_go(row)).first().copied()
    }

    /// The jobs that a POP hands out, and their batch: 0 for a new one.
    pub fn choose(&self, pop: &Pop<'_>, now: UnixMs) -> (Vec<usize>, Option<u64>) {
        let most = pop.count.min(self.room(now));
        let is_ripe = |jobs: &[usize]| {
            let oldest = jobs.iter().map(|nth| self.rows[*nth].at).min();
            let waited = |linger| oldest.is_some_and(|oldest| oldest + linger <= now);
            jobs.len() >= pop.count || pop.linger.is_none_or(waited)
        };
        if pop.grouped {
            let mut passed = Vec::new();
            while let Some(first) = self.next(|row| !passed.contains(&row.group)) {
                let (mut jobs, batch) = self.run(first);
                let group = self.rows[first].group.as_deref();
                let left = group.map_or(usize::MAX, |group| self.group_starts_left(group, now).0);
                jobs.truncate(most.min(left));
                if is_ripe(&jobs) {
                    let is_batch = self.rows[first].group.is_some() && (batch > 0 || jobs.len() > 1);
                    return (jobs, is_batch.then_some(batch));
                }
                passed.push(self.rows[first].group.clone());
            }
            return (Vec::new(), None);
        }
        let (mut after, mut jobs) = (self.clone(), Vec::new());
        while jobs.len() < most {
            let Some(nth) = after.next(|_| true) else { break };
            (after.rows[nth].state, after.rows[nth].started) = (State::Active, true);
            after.served(nth, now);
            jobs.push(nth);
        }
        if is_ripe(&jobs) { (jobs, None) } else { (Vec::new(), None) }
    }

    /// The jobs that go together with the first of a group.
    fn run(&self, first: usize) -> (Vec<usize>, u64) {
        let head = &self.rows[first];
        let in_group = |row: &Row| row.group == head.group;
        if head.group.is_none() {
            return (self.ready(in_group), 0);
        }
        let shares = |row: &Row| in_group(row) && row.is_started() && row.slot() == head.slot();
        let mut jobs = if head.is_started() { self.ready(shares) } else { Vec::new() };
        if self.rows.iter().filter(|row| shares(row)).count() == jobs.len() {
            jobs.extend(self.ready(|row| in_group(row) && !row.is_started()));
        }
        (jobs, if head.is_started() { head.batch } else { 0 })
    }

    pub fn served(&mut self, nth: usize, now: UnixMs) {
        if self.config.rate.is_some() {
            self.starts.push(now);
        }
        self.last_turn += 1;
        let turn = self.last_turn;
        match self.rows[nth].group.clone() {
            None => self.ungrouped_turn = turn,
            Some(group) => {
                self.begin_in_group(&group, now);
                self.turns.insert(group, turn);
            }
        }
    }
}
