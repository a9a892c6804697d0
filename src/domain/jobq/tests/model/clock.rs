//! The naive model's clock: what is due happens, one thing after the other.

use crate::domain::jobq::queue::as_of::STALL_ERROR;
use crate::domain::jobq::tests::model::{Model, Row};
use crate::domain::jobq::*;
use crate::domain::time::UnixMs;

impl Model {
    /// What is due by now happens; later steps go on from the time returned.
    pub fn advance(&mut self, now: UnixMs) -> UnixMs {
        let now = now.max(self.clock);
        let (due, mut room) = (self.schedules_due(now), self.length_left());
        let mut moved = !due.is_empty();
        while self.one_step(now)
            || self.settle(now)
            || self.ripen(now)
            || self.open_a_group(now)
            || self.forget(now)
        {
            self.sync();
            moved = true;
        }
        due.iter().for_each(|name| self.decide_due_runs(name, &mut room, now));
        if moved {
            self.changed(now);
        }
        now
    }

    /// The first thing that is due by now: leases that run out, then waiting that is over.
    pub fn one_step(&mut self, now: UnixMs) -> bool {
        let active = |row: &Row| (row.state == State::Active).then_some(row.at);
        let waits = |row: &Row| matches!(row.state, State::Ready | State::Delayed).then_some(row.expires?);
        if let Some(nth) = self.first_due(active, now) {
            self.lapse(nth, now);
        } else if let Some(nth) = self.first_due(waits, now) {
            self.expire(nth);
        } else {
            return false;
        }
        true
    }

    /// The first delay that is over.
    pub fn ripen(&mut self, now: UnixMs) -> bool {
        let delayed = |row: &Row| (row.state == State::Delayed).then_some(row.at);
        let Some(nth) = self.first_due(delayed, now) else { return false };
        let shift = self.shift(self.rows[nth].at);
        let row = &mut self.rows[nth];
        row.make_ready(row.at, shift);
        true
    }

    pub fn first_due(&self, time: impl Fn(&Row) -> Option<UnixMs>, now: UnixMs) -> Option<usize> {
        let rows = self.rows.iter().enumerate().filter_map(|(nth, row)| Some((time(row)?, nth)));
        rows.filter(|(at, _)| *at <= now).min().map(|(_, nth)| nth)
    }

    fn expire(&mut self, nth: usize) {
        let row = self.rows.remove(nth);
        self.count(row.name, |totals| &mut totals.expired);
    }

    fn lapse(&mut self, nth: usize, now: UnixMs) {
        self.count(self.rows[nth].name.clone(), |totals| &mut totals.stalled);
        let row = &mut self.rows[nth];
        if row.cancelled {
            self.rows.remove(nth);
            return;
        }
        if row.expires.is_some_and(|end| end <= row.at) {
            return self.expire(nth);
        }
        row.stalls += 1;
        if row.stalls > self.config.stall_max {
            (row.state, row.at, row.kind) = (State::Dead, now, Some(b"stalled".to_vec()));
            row.error = Some(STALL_ERROR.to_vec());
            let name = row.name.clone();
            self.count(name, |totals| &mut totals.died);
            self.kinds.entry(Some(b"stalled".to_vec())).or_default().totals.died += 1;
        } else {
            (row.state, row.at) = (State::Ready, row.line);
        }
    }

    /// Those that have ended and were kept long enough, or are too many.
    pub fn forget(&mut self, now: UnixMs) -> bool {
        let before = self.rows.len();
        self.forget_of(State::Done, now);
        self.forget_of(State::Dead, now);
        self.rows.len() < before
    }

    fn forget_of(&mut self, state: State, now: UnixMs) {
        let keep = if state == State::Done { self.config.keep_done } else { self.config.keep_dead };
        let age = |row: &Row| row.keep.map_or(keep.age, |own| own.max(10));
        self.rows.retain(|row| row.state != state || now < row.at + age(row));
        let counted = |row: &Row| row.state == state && row.keep.is_none();
        while self.rows.iter().filter(|row| counted(row)).count() > keep.most {
            let ended = self.rows.iter().enumerate().filter(|(_, row)| counted(row));
            let oldest = ended.min_by_key(|(nth, row)| (row.at, *nth)).expect("one").0;
            self.rows.remove(oldest);
        }
    }
}
