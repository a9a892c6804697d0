//! A queue as naive as can be: a list of jobs in the order of pushing.

use std::ops::RangeInclusive;

use super::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;

/// What a worker said last of the job it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Nothing,
    Failed(UnixMs),
    Released,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub id: Vec<u8>,
    pub payload: Vec<u8>,
    pub state: State,
    /// Due, end of the lease or end of the job.
    pub at: UnixMs,
    /// When it became ready, for the order.
    pub line: UnixMs,
    pub token: u64,
    pub failures: u32,
    pub stalls: u32,
    pub retries: u32,
    pub priority: i32,
    pub lifo: bool,
    pub lease: Option<u64>,
    pub backoff: Option<Backoff>,
    pub word: Word,
    pub cancelled: bool,
}

/// What a POP hands out, but for the token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handed {
    pub id: Vec<u8>,
    pub payload: Vec<u8>,
    pub attempt: u32,
    pub deadline: UnixMs,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub rows: Vec<Row>,
    /// The latest time at which something changed.
    pub clock: UnixMs,
    pub totals: Totals,
    /// How often something changed.
    pub changes: u64,
}

/// The waits that a backoff allows after so many failures.
fn waits(backoff: Option<&Backoff>, failures: u32) -> RangeInclusive<u64> {
    match backoff {
        None => 2_000 << (failures - 1)..=2_000 << (failures - 1),
        Some(Backoff::Fixed(wait)) => *wait..=*wait,
        Some(Backoff::List(list)) => {
            let wait = list.get(failures as usize - 1).or(list.last()).expect("a wait");
            *wait..=*wait
        }
        Some(Backoff::Exponential { first, most, jitter }) => {
            let wait = (1..failures).fold(*first, |wait, _| (2 * wait).min(*most));
            let spread = wait * u64::from(*jitter) / 100;
            wait - spread..=wait + spread
        }
    }
}

impl Model {
    /// What is due by now happens; later steps go on from the time returned.
    pub fn advance(&mut self, now: UnixMs) -> UnixMs {
        let now = now.max(self.clock);
        let mut moved = false;
        for row in self.rows.iter_mut().filter(|row| row.at <= now) {
            match row.state {
                State::Delayed => {
                    row.state = State::Ready;
                    row.line = row.at;
                }
                State::Active if row.cancelled => {
                    self.totals.stalled += 1;
                    row.state = State::Done;
                    row.at = 0;
                }
                State::Active => {
                    self.totals.stalled += 1;
                    row.stalls += 1;
                    row.state = State::Ready;
                    row.at = row.line;
                    if row.stalls > STALL_MAX {
                        self.totals.died += 1;
                        row.state = State::Dead;
                        row.at = now;
                    }
                }
                _ => continue,
            }
            moved = true;
        }
        let before = self.rows.len();
        self.rows.retain(|row| match row.state {
            State::Done => now < row.at + KEEP_DONE.0,
            State::Dead => now < row.at + KEEP_DEAD.0,
            _ => true,
        });
        if moved || self.rows.len() < before {
            self.changed(now);
        }
        now
    }

    fn changed(&mut self, now: UnixMs) {
        self.clock = now;
        self.changes += 1;
    }

    pub fn push(&mut self, push: &Push<'_>, now: UnixMs) -> Pushed {
        let now = self.advance(now);
        if let Some(id) = push.id
            && self.rows.iter().any(|row| row.id == id)
        {
            return Pushed::Duplicate(id.into());
        }
        let id = push.id.map_or_else(|| automatic_id(self.totals.pushed), Box::from);
        let due = match push.due {
            Due::After(delay) => now + delay,
            Due::At(time) => now.max(time),
        };
        self.rows.push(Row {
            id: id.to_vec(),
            payload: push.payload.to_vec(),
            state: if due <= now { State::Ready } else { State::Delayed },
            at: due,
            line: due,
            token: 0,
            failures: 0,
            stalls: 0,
            retries: push.retries,
            priority: push.priority,
            lifo: push.lifo,
            lease: push.lease,
            backoff: push.backoff.clone(),
            word: Word::Nothing,
            cancelled: false,
        });
        self.totals.pushed += 1;
        self.changed(now);
        Pushed::New(id)
    }

    /// `tokens` are those that the queue chose.
    pub fn pop(&mut self, pop: &Pop, tokens: &[u64], now: UnixMs) -> Vec<Handed> {
        let now = self.advance(now);
        let rows = self.rows.iter_mut().enumerate();
        let mut ready: Vec<(usize, &mut Row)> = rows.filter(|(_, row)| row.state == State::Ready).collect();
        ready.sort_by_key(|(nth, row)| {
            // Those of one time in the order of pushing; LIFO is all of that backwards, in front.
            let sign = if row.lifo { -1 } else { 1 };
            (row.priority, sign, sign * row.line as i64, sign * *nth as i64)
        });
        let mut handed = Vec::new();
        for ((_, row), token) in ready.into_iter().take(pop.count).zip(tokens) {
            row.state = State::Active;
            row.at = now + row.lease.or(pop.lease).unwrap_or(DEFAULT_LEASE);
            row.token = *token;
            row.word = Word::Nothing;
            let (id, payload) = (row.id.clone(), row.payload.clone());
            handed.push(Handed { id, payload, attempt: row.failures + 1, deadline: row.at });
        }
        if !handed.is_empty() {
            self.changed(now);
        }
        handed
    }

    fn held(&mut self, id: &[u8], token: u64) -> Result<&mut Row, Code> {
        let row = self.rows.iter_mut().find(|row| row.id == id).ok_or(Code::NoJob)?;
        if row.token == token { Ok(row) } else { Err(Code::Fenced) }
    }

    pub fn ack(&mut self, id: &[u8], token: u64, now: UnixMs) -> Result<(), Code> {
        let now = self.advance(now);
        let row = self.held(id, token)?;
        if row.state != State::Done {
            row.state = State::Done;
            row.at = now;
            self.totals.acked += 1;
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
        let answer = if fail.dead || row.failures > row.retries {
            row.state = State::Dead;
            row.at = now;
            self.totals.died += 1;
            Failed { state: Some(State::Dead), due: 0 }
        } else {
            let waits = fail.delay.map_or_else(|| waits(row.backoff.as_ref(), row.failures), |d| d..=d);
            assert!(due >= now && waits.contains(&(due - now)), "{due} at {now} is none of {waits:?}");
            row.state = State::Delayed;
            row.at = due;
            row.line = due;
            self.totals.retried += 1;
            Failed { state: Some(State::Delayed), due }
        };
        self.totals.failed += 1;
        self.changed(now);
        Ok(answer)
    }

    pub fn release(&mut self, id: &[u8], token: u64, delay: u64, now: UnixMs) -> Result<(), Code> {
        let now = self.advance(now);
        let row = self.held(id, token)?;
        match (row.state, row.word) {
            (State::Done | State::Dead, _) | (_, Word::Failed(_)) => return Err(Code::Fenced),
            (_, Word::Released) => return Ok(()),
            (State::Ready, _) if delay == 0 => return Ok(()),
            _ => {}
        }
        if row.cancelled {
            self.gone(id, now);
            return Ok(());
        }
        row.word = Word::Released;
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
        now: UnixMs,
    ) -> Result<Extended, Code> {
        let now = self.advance(now);
        let row = self.held(id, token)?;
        if row.state != State::Active {
            return Err(Code::Fenced);
        }
        row.at = now + lease.or(row.lease).unwrap_or(DEFAULT_LEASE);
        let cancelled = row.cancelled;
        self.changed(now);
        Ok(if cancelled { Extended::Cancelled } else { Extended::Held })
    }

    fn gone(&mut self, id: &[u8], now: UnixMs) {
        self.rows.retain(|row| row.id != id);
        self.changed(now);
    }

    pub fn cancel(&mut self, id: &[u8], now: UnixMs) -> Cancelled {
        let now = self.advance(now);
        let Some(row) = self.rows.iter_mut().find(|row| row.id == id) else { return Cancelled::Gone };
        match row.state {
            State::Ready | State::Delayed => {
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

    pub fn redrive(&mut self, limit: usize, now: UnixMs) -> Moved {
        let now = self.advance(now);
        let mut dead: Vec<&mut Row> = self.rows.iter_mut().filter(|row| row.state == State::Dead).collect();
        dead.sort_by_key(|row| row.at);
        let (all, moved) = (dead.len(), dead.len().min(limit));
        for row in dead.into_iter().take(limit) {
            (row.state, row.at, row.line, row.word) = (State::Ready, now, now, Word::Nothing);
            (row.token, row.failures, row.stalls) = (0, 0, 0);
        }
        if moved > 0 {
            self.changed(now);
        }
        Moved { moved, left: all - moved }
    }

    pub fn purge(&mut self, state: State, older: u64, now: UnixMs) -> Moved {
        let now = self.advance(now);
        let all = self.rows.iter().filter(|row| row.state == state).count();
        self.rows.retain(|row| row.state != state || row.at + older > now);
        let left = self.rows.iter().filter(|row| row.state == state).count();
        if left < all {
            self.changed(now);
        }
        Moved { moved: all - left, left }
    }
}
