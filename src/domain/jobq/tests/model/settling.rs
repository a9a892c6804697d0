//! The model of ACK, FAIL and what comes after a POP.

use super::*;
use crate::domain::jobq::decide::settle::Failed;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;

impl Model {
    pub(super) fn held(&mut self, id: &[u8], token: u64) -> Result<&mut Row, Code> {
        let row = self.rows.iter_mut().find(|row| row.id == id).ok_or(Code::NoJob)?;
        if row.token == token { Ok(row) } else { Err(Code::Fenced) }
    }

    pub fn ack(&mut self, id: &[u8], token: u64, result: Option<&[u8]>, now: UnixMs) -> Result<(), Code> {
        let now = self.advance(now);
        self.ack_at(id, token, result, now)
    }

    /// Like [`Model::ack`], but nothing else happens.
    pub fn ack_at(&mut self, id: &[u8], token: u64, result: Option<&[u8]>, now: UnixMs) -> Result<(), Code> {
        let row = self.held(id, token)?;
        if row.state != State::Done {
            row.state = State::Done;
            row.at = now;
            row.result = result.map(<[u8]>::to_vec).or(row.result.take());
            let name = row.name.clone();
            self.count(name, |totals| &mut totals.acked);
            self.count_run(id, now);
            self.changed(now);
        }
        Ok(())
    }

    /// `due` is the time that the queue chose, by chance where there is jitter.
    pub fn fail(
        &mut self,
        id: &[u8],
        token: u64,
        fail: &Fail<'_>,
        due: UnixMs,
        now: UnixMs,
    ) -> Result<Failed, Code> {
        let now = self.advance(now);
        let config = self.config.clone();
        let row = self.held(id, token)?;
        match (row.state, row.word) {
            (State::Done, _) => return Err(Code::Fenced),
            (State::Dead, _) => return Ok(Failed { state: Some(State::Dead), due: 0 }),
            (_, Word::Failed(due)) => return Ok(Failed { state: Some(State::Delayed), due }),
            _ => {}
        }
        if row.cancelled {
            self.gone(id, now);
            return Ok(Failed { state: None, due: 0 });
        }
        row.failures += 1;
        row.word = Word::Failed(due);
        row.kind = fail.kind.map(<[u8]>::to_vec);
        row.error = fail.error.map(<[u8]>::to_vec);
        row.progress = fail.progress.map(<[u8]>::to_vec).or(row.progress.take());
        let answer = if fail.dead || row.failures > row.retries.into() {
            row.state = State::Dead;
            row.at = now;
            Failed { state: Some(State::Dead), due: 0 }
        } else {
            let waits = fail.delay.map_or_else(
                || waits(row.backoff.as_ref().unwrap_or(&config.backoff), row.failures),
                |d| d..=d,
            );
            assert!(due >= now && waits.contains(&(due - now)), "{due} at {now} is none of {waits:?}");
            row.state = State::Delayed;
            row.at = due;
            row.line = due;
            Failed { state: Some(State::Delayed), due }
        };
        let (name, kind) = (row.name.clone(), row.kind.clone());
        let is_retried = answer.state == Some(State::Delayed);
        let ran = self.count_run(id, now);
        self.count(name.clone(), |totals| &mut totals.failed);
        self.count(name, |totals| if is_retried { &mut totals.retried } else { &mut totals.died });
        let by_kind = self.kinds.entry(kind).or_default();
        by_kind.totals.failed += 1;
        *(if is_retried { &mut by_kind.totals.retried } else { &mut by_kind.totals.died }) += 1;
        by_kind.runs.extend(ran);
        self.changed(now);
        Ok(answer)
    }

    pub fn release(
        &mut self,
        id: &[u8],
        token: u64,
        delay: u64,
        progress: Option<&[u8]>,
        now: UnixMs,
    ) -> Result<(), Code> {
        let now = self.advance(now);
        let row = self.held(id, token)?;
        match (row.state, row.word) {
            (State::Done | State::Dead, _) | (_, Word::Failed(_)) => return Err(Code::Fenced),
            (_, Word::Released) => return Ok(()),
            (State::Ready, _)
                if delay == 0 && (progress.is_none() || progress == row.progress.as_deref()) =>
            {
                return Ok(());
            }
            _ => {}
        }
        if row.cancelled {
            self.gone(id, now);
            return Ok(());
        }
        (row.word, row.run_started) = (Word::Released, None);
        row.progress = progress.map(<[u8]>::to_vec).or(row.progress.take());
        (row.state, row.at) =
            if delay == 0 { (State::Ready, row.line) } else { (State::Delayed, now + delay) };
        self.changed(now);
        Ok(())
    }

    pub fn extend(
        &mut self,
        id: &[u8],
        token: u64,
        lease: Option<u64>,
        progress: Option<&[u8]>,
        now: UnixMs,
    ) -> Result<Extended, Code> {
        let now = self.advance(now);
        self.extend_at(id, token, lease, progress, now)
    }

    /// Like [`Model::extend`], but nothing else happens.
    pub fn extend_at(
        &mut self,
        id: &[u8],
        token: u64,
        lease: Option<u64>,
        progress: Option<&[u8]>,
        now: UnixMs,
    ) -> Result<Extended, Code> {
        let by_config = self.config.lease;
        let row = self.held(id, token)?;
        if row.state != State::Active {
            return Err(Code::Fenced);
        }
        row.at = now + lease.or(row.lease).unwrap_or(by_config);
        row.progress = progress.map(<[u8]>::to_vec).or(row.progress.take());
        let cancelled = row.cancelled;
        self.changed(now);
        Ok(if cancelled { Extended::Cancelled } else { Extended::Held })
    }

    pub fn log(&mut self, id: &[u8], token: u64, line: &[u8], now: UnixMs) -> Result<usize, Code> {
        let now = self.advance(now);
        let row = self.held(id, token)?;
        row.log.push(line.to_vec());
        let lines = row.log.len();
        self.changed(now);
        Ok(lines)
    }

    pub fn update(&mut self, id: &[u8], update: &Update<'_>, now: UnixMs) -> Result<(), Code> {
        let now = self.advance(now);
        let shift = self.shift(now);
        let row = self.rows.iter_mut().find(|row| row.id == id).ok_or(Code::NoJob)?;
        let waits = matches!(row.state, State::Ready | State::Delayed);
        if row.state == State::Done || update.due.is_some() && !waits {
            return Err(Code::Err);
        }
        let serial = row.serial;
        let parents = update.parents.map(|parents| self.new_parents(serial, &parents)).transpose()?;
        let row = self.row(serial).expect("it");
        let before = row.clone();
        row.priority = update.priority.unwrap_or(row.priority);
        row.retries = update.retries.unwrap_or(row.retries);
        row.lifo = update.lifo.unwrap_or(row.lifo);
        row.payload = update.payload.map_or(row.payload.clone(), <[u8]>::to_vec);
        let due = update.due.map(|due| match due {
            Due::After(delay) => now + delay,
            Due::At(time) => now.max(time),
        });
        if let Some(due) =
            due.filter(|due| if row.state == State::Ready { *due > now } else { *due != row.at })
        {
            if due <= now {
                row.make_ready(due, shift);
            } else {
                (row.state, row.at, row.line) = (State::Delayed, due, due);
            }
            if row.token == 0 && row.failures == 0 {
                row.expires = row.expire.map(|expire| due + expire);
            }
            row.word = if let Word::Failed(_) = row.word { Word::Failed(due) } else { Word::Released };
        }
        let (serial, mut is_changed) = (row.serial, *row != before);
        let gave_up = update.no_unique && self.give_up_key(serial, now);
        if let Some((added, on_dead, doomed)) = parents {
            is_changed |= self.add_parents(serial, added, on_dead, doomed, now);
        }
        if is_changed || gave_up {
            self.changed(now);
        }
        Ok(())
    }

    pub fn gone(&mut self, id: &[u8], now: UnixMs) {
        self.rows.retain(|row| row.id != id);
        self.changed(now);
    }

    pub fn cancel(&mut self, id: &[u8], now: UnixMs) -> Cancelled {
        let now = self.advance(now);
        let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else { return Cancelled::Gone };
        match row.state {
            State::Ready | State::Delayed | State::Blocked => {
                self.gone(id, now);
                Cancelled::Removed
            }
            State::Active => {
                if !std::mem::replace(&mut row.cancelled, true) {
                    self.changed(now);
                }
                Cancelled::Flagged
            }
            State::Done | State::Dead => Cancelled::Gone,
        }
    }

    pub fn redrive(&mut self, redrive: &Redrive<'_>, now: UnixMs) -> Moved {
        let (limit, state) = (redrive.limit, if redrive.done { State::Done } else { State::Dead });
        let now = self.advance(now);
        let shift = self.shift(now);
        let mut dead: Vec<Row> = self.rows.iter().filter(|row| row.state == state).cloned().collect();
        dead.sort_by_key(|row| row.at);
        let (all, mut moved, mut started) = (dead.len(), 0, Vec::new());
        dead.retain(|row| {
            row.at + redrive.older <= now && redrive.filter.matches(row.error.as_deref(), row.kind.as_deref())
        });
        if let Some(ids) = redrive.ids {
            let place = |row: &Row| ids.iter().position(|id| row.id == *id);
            dead.retain(|row| place(row).is_some());
            dead.sort_by_key(place);
        }
        for dead in dead {
            let key = dead.unique.filter(|key| !(key.until == Until::Start && dead.popped));
            let holder = key.and_then(|key| self.claims.iter().find(|claim| claim.by.key == key.key));
            let holder = holder.map(|claim| claim.holder);
            if moved == limit || holder.is_some_and(|holder| holder != dead.serial) {
                continue;
            }
            if key.is_some() && holder.is_none() {
                self.claim(dead.serial, now);
            }
            let row = self.row(dead.serial).expect("it");
            row.make_ready(now, shift);
            row.progress = row.progress.take().filter(|_| state == State::Dead);
            row.result = None;
            (row.word, row.started, row.batch) = (Word::Nothing, false, 0);
            (row.token, row.failures, row.stalls, row.run_started) = (0, 0, 0, None);
            row.expires = row.expire.map(|expire| now + expire);
            self.sync();
            moved += 1;
            started.push(dead.serial);
        }
        for serial in started {
            let alive: Vec<u64> =
                self.rows.iter().filter(|row| !row.state.is_end()).map(|row| row.serial).collect();
            let row = self.row(serial).expect("it");
            row.after.iter_mut().for_each(|(parent, open)| *open = alive.contains(parent));
            if row.open() > 0 {
                (row.state, row.at, row.line) = (State::Blocked, now, now);
            } else {
                row.after.clear();
            }
            self.sync();
        }
        if moved > 0 {
            self.changed(now);
        }
        Moved { moved, left: all - moved }
    }

    pub fn purge(&mut self, purge: &Purge<'_>, now: UnixMs) -> Moved {
        let now = self.advance(now);
        let all = self.rows.iter().filter(|row| row.state == purge.state).count();
        let is_wanted = |row: &&Row| {
            let since = if purge.state == State::Delayed { row.pushed_at } else { row.at };
            row.state == purge.state
                && since + purge.older <= now
                && purge.filter.matches(row.error.as_deref(), row.kind.as_deref())
        };
        let rows = self.rows.iter().filter(is_wanted);
        let mut gone: Vec<(UnixMs, u64)> = rows.map(|row| (row.at, row.serial)).collect();
        gone.sort_unstable();
        gone.truncate(purge.limit);
        for (_, serial) in &gone {
            self.rows.retain(|row| row.serial != *serial);
            // Its key goes on at once, to one that may go next.
            self.settle_keys(now);
        }
        if !gone.is_empty() {
            self.changed(now);
        }
        Moved { moved: gone.len(), left: all - gone.len() }
    }

    pub fn configure(&mut self, field: &str, value: &str, now: UnixMs) {
        let now = self.advance(now);
        let mut config = self.config.clone();
        config.set(field.as_bytes(), value.as_bytes()).expect("a good value");
        if config == self.config {
            return;
        }
        if config.aging != self.config.aging {
            self.aged = (self.shift(now), now);
        }
        let has_new_group_rate = config.group_rate != self.config.group_rate;
        self.config = config;
        if self.config.rate.is_none() {
            self.starts.clear();
        }
        if has_new_group_rate {
            self.recheck_groups(now);
        }
        self.changed(now);
    }

    /// `None` is to resume.
    pub fn pause(&mut self, pause: Option<(Option<u64>, bool)>, now: UnixMs) {
        let now = self.advance(now);
        let current = self.pause.filter(|pause| pause.until.is_none_or(|until| now < until));
        let pause = pause.map(|(length, pushes)| Pause { until: length.map(|length| now + length), pushes });
        if pause != current {
            self.pause = pause;
            self.changed(now);
        }
    }
}
