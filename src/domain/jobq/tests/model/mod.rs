//! A queue as naive as can be: a list of jobs in the order of pushing.

pub(crate) mod clock;
pub(crate) mod dependencies;
pub(crate) mod ordering;
pub(crate) mod schedules;

use crate::domain::jobq::decide::settle::Failed;
use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::tests::harness::automatic_id_at;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;
use schedules::Timed;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What a worker said last of the job it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Nothing,
    Failed(UnixMs),
    Released,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The how manieth push it was.
    pub serial: u64,
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
    pub retries: u16,
    pub priority: i32,
    pub lifo: bool,
    pub lease: Option<u64>,
    pub backoff: Option<Backoff>,
    pub word: Word,
    pub cancelled: bool,
    pub group: Option<Vec<u8>>,
    /// A POP handed it out, and no REDRIVE came since.
    pub started: bool,
    pub shift: i64,
    pub expire: Option<u64>,
    /// When its waiting is over.
    pub expires: Option<UnixMs>,
    pub keep: Option<u64>,
    /// Of the last POP.
    pub worker: Option<Vec<u8>>,
    pub log: Vec<Vec<u8>>,
    pub progress: Option<Vec<u8>>,
    /// The KIND of the last failure.
    pub kind: Option<Vec<u8>>,
    pub unique: Option<Key>,
    /// The push that began the chain of replaced holders of its key.
    pub since: UnixMs,
    /// It was popped at least once.
    pub popped: bool,
    /// The jobs that it waits for, and whether it still does.
    pub after: Vec<(u64, bool)>,
    pub on_dead: OnDead,
}

/// The key of a job, until when and for how long it holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub key: u8,
    pub until: Until,
    pub window: Option<u64>,
}

/// The holder of a unique key.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub by: Key,
    pub holder: u64,
    pub id: Vec<u8>,
    pub frees: Option<UnixMs>,
    pub next: Option<u64>,
}

/// What a POP hands out, but for the token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    pub id: Vec<u8>,
    pub payload: Vec<u8>,
    pub attempt: u32,
    pub deadline: UnixMs,
    pub progress: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub rows: Vec<Row>,
    pub schedules: Vec<Timed>,
    pub claims: Vec<Claimed>,
    /// For a job that has taken the place of others: the first of them.
    pub roots: BTreeMap<u64, u64>,
    pub config: Config,
    pub pause: Option<Pause>,
    /// What aging had added when it was changed last, and when that was.
    pub aged: (i64, UnixMs),
    /// When jobs were begun.
    pub starts: Vec<UnixMs>,
    pub turns: BTreeMap<Vec<u8>, u64>,
    pub ungrouped_turn: u64,
    pub last_turn: u64,
    /// The latest time at which something changed.
    pub clock: UnixMs,
    pub totals: Totals,
    /// The job that was next to a holder that is being replaced.
    pub inherited: Option<u64>,
    /// How often something changed.
    pub changes: u64,
}

/// The waits that a backoff allows after a number of failures.
fn waits(backoff: &Backoff, failures: u32) -> RangeInclusive<u64> {
    match backoff {
        Backoff::Fixed(wait) => *wait..=*wait,
        Backoff::List(list) => {
            let wait = list.get(failures as usize - 1).or(list.last()).expect("a wait");
            *wait..=*wait
        }
        Backoff::Exponential { first, most, jitter } => {
            let wait = (1..failures).fold(*first, |wait, _| (2 * wait).min(*most));
            let spread = wait * u64::from(*jitter) / 100;
            wait - spread..=wait + spread
        }
    }
}

impl Row {
    pub fn mark_dead(&mut self, now: UnixMs) {
        (self.state, self.at, self.kind) = (State::Dead, now, None);
        self.after.iter_mut().for_each(|(_, open)| *open = false);
    }

    pub fn waits(&self) -> bool {
        matches!(self.state, State::Ready | State::Delayed | State::Blocked)
    }

    pub fn open(&self) -> usize {
        self.after.iter().filter(|(_, open)| *open).count()
    }

    /// `shift` is what aging adds to those that become ready now.
    pub fn unblock(&mut self, now: UnixMs, shift: i64) {
        if self.open() > 0 {
            return;
        }
        self.line = self.line.max(now);
        self.at = self.line;
        self.state = State::Delayed;
        if self.line <= now {
            self.make_ready(self.line, shift);
        }
        self.expires = self.expire.map(|expire| self.at + expire);
    }
}

impl Model {
    pub fn changed(&mut self, now: UnixMs) {
        self.sync();
        self.clock = now;
        self.changes += 1;
        self.settle(now);
        self.let_go_of_schedules();
    }

    pub fn row(&mut self, serial: u64) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.serial == serial)
    }

    /// A job that is ready at its time and waits for no other.
    pub fn row_of(&self, push: &Push<'_>, serial: u64, id: &[u8], due: UnixMs) -> Row {
        Row {
            serial,
            id: id.to_vec(),
            payload: push.payload.to_vec(),
            state: State::Ready,
            at: due,
            line: due,
            token: 0,
            failures: 0,
            stalls: 0,
            retries: push.retries.unwrap_or(self.config.retries),
            priority: push.priority,
            lifo: push.lifo,
            lease: push.lease,
            backoff: push.backoff.clone(),
            word: Word::Nothing,
            cancelled: false,
            group: push.group.map(<[u8]>::to_vec),
            started: false,
            shift: 0,
            expire: push.expire,
            expires: push.expire.map(|expire| due + expire),
            keep: push.keep,
            worker: None,
            log: Vec::new(),
            progress: None,
            kind: None,
            unique: push.unique.map(|unique| Key {
                key: unique.key[0],
                until: unique.until,
                window: unique.window,
            }),
            since: 0,
            popped: false,
            after: Vec::new(),
            on_dead: push.after.map_or(OnDead::Wait, |after| after.on_dead),
        }
    }

    pub fn push(&mut self, push: &Push<'_>, now: UnixMs) -> Result<Pushed, Code> {
        let now = self.advance(now);
        if let Some(id) = push.id
            && self.rows.iter().any(|row| row.id == id)
        {
            return Ok(Pushed::Duplicate(id.into()));
        }
        if self.pause.is_some_and(|pause| pause.pushes && pause.until.is_none_or(|until| now < until)) {
            return Err(Code::Paused);
        }
        let (after, doomed) = push.after.map(|after| self.after(&after)).unwrap_or_default();
        let unique = push.unique.filter(|_| !doomed);
        let length = self.rows.iter().filter(|row| row.waits()).count() as u64;
        let full = self.config.max_length.is_some_and(|most| length >= most);
        if full && unique.is_none_or(|unique| self.makes_longer(&unique)) {
            return Err(Code::Full);
        }
        if unique.is_some_and(|unique| self.is_circle(&unique, &after)) {
            return Err(Code::Err);
        }
        let id = push.id.map_or_else(|| automatic_id_at(self.totals.pushed, now), Box::from);
        let due = match push.due {
            Due::After(delay) => now + delay,
            Due::At(time) => now.max(time),
        };
        let since = unique.map_or(now, |unique| self.chain_since(&unique, now));
        let max_wait = unique.and_then(|unique| unique.max_wait);
        let due = max_wait.map_or(due, |max_wait| due.min(since + max_wait).max(now));
        let shift = self.shift(due);
        let serial = self.totals.pushed;
        let (answer, next) = match &unique {
            None => (Pushed::New(id.clone().into()), false),
            Some(unique) => match self.come_to_key(unique, serial, &id) {
                (answer, None) => return Ok(answer),
                (answer, Some(next)) => (answer, next),
            },
        };
        let mut row = self.row_of(push, serial, &id, due);
        row.since = since;
        row.after = after;
        row.shift = shift;
        if due > now {
            row.state = State::Delayed;
        }
        if next || row.open() > 0 {
            (row.state, row.at, row.expires) = (State::Blocked, now, None);
        }
        if doomed {
            row.mark_dead(now);
            self.totals.died += 1;
        }
        self.rows.push(row);
        if unique.is_some() && !next {
            self.claim(serial, now);
            self.claims.last_mut().expect("it").next = self.inherited.take();
        }
        self.totals.pushed += 1;
        self.changed(now);
        Ok(answer)
    }

    /// `tokens` are those that the queue chose.
    pub fn pop(&mut self, pop: &Pop<'_>, tokens: &[u64], now: UnixMs) -> Vec<Handed> {
        let now = self.advance(now);
        let mut handed = Vec::new();
        for token in &tokens[..tokens.len().min(pop.count)] {
            let Some(nth) = self.next(now) else { break };
            let lease = self.config.lease;
            let row = &mut self.rows[nth];
            row.state = State::Active;
            row.at = now + row.lease.or(pop.lease).unwrap_or(lease);
            (row.token, row.started, row.popped) = (*token, true, true);
            row.word = Word::Nothing;
            row.worker = pop.worker.map(<[u8]>::to_vec);
            let (id, payload, progress) = (row.id.clone(), row.payload.clone(), row.progress.clone());
            handed.push(Handed { id, payload, attempt: row.failures + 1, deadline: row.at, progress });
            self.served(nth, now);
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
        row.progress = fail.progress.map(<[u8]>::to_vec).or(row.progress.take());
        let answer = if fail.dead || row.failures > row.retries.into() {
            row.state = State::Dead;
            row.at = now;
            self.totals.died += 1;
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
            self.totals.retried += 1;
            Failed { state: Some(State::Delayed), due }
        };
        self.totals.failed += 1;
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
        row.word = Word::Released;
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
        let (serial, is_changed) = (row.serial, *row != before);
        let gave_up = update.no_unique && self.give_up_key(serial, now);
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
            row.at + redrive.older <= now
                && redrive.filter.kind.is_none_or(|kind| row.kind.as_deref() == Some(kind))
        });
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
            (row.word, row.started) = (Word::Nothing, false);
            (row.token, row.failures, row.stalls) = (0, 0, 0);
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
            }
            self.sync();
        }
        if moved > 0 {
            self.changed(now);
        }
        Moved { moved, left: all - moved }
    }

    pub fn purge(&mut self, state: State, older: u64, now: UnixMs) -> Moved {
        let now = self.advance(now);
        let all = self.rows.iter().filter(|row| row.state == state).count();
        let rows = self.rows.iter().filter(|row| row.state == state && row.at + older <= now);
        let mut gone: Vec<(UnixMs, u64)> = rows.map(|row| (row.at, row.serial)).collect();
        gone.sort_unstable();
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
        self.config = config;
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
