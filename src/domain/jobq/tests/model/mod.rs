//! A queue as naive as can be: a list of jobs in the order of pushing.

pub(crate) mod breakdown;
pub(crate) mod clock;
pub(crate) mod dependencies;
pub(crate) mod groups;
pub(crate) mod ordering;
pub(crate) mod schedules;
pub(crate) mod settling;

use crate::domain::jobq::state::totals::Totals;
use crate::domain::jobq::tests::harness::automatic_id_at;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;
use breakdown::Counts;
use groups::Groups;
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
    pub name: Option<Vec<u8>>,
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
    /// The first token of the run with which it shares its slot, 0 for none.
    pub batch: u64,
    pub shift: i64,
    pub expire: Option<u64>,
    /// When its waiting is over.
    pub expires: Option<UnixMs>,
    pub keep: Option<u64>,
    /// Of the last POP.
    pub worker: Option<Vec<u8>>,
    pub log: Vec<Vec<u8>>,
    pub progress: Option<Vec<u8>>,
    /// The ERROR and the KIND of the last failure.
    pub error: Option<Vec<u8>>,
    pub kind: Option<Vec<u8>>,
    pub result: Option<Vec<u8>>,
    pub meta: Option<Vec<u8>>,
    pub cost: u64,
    pub pushed_at: UnixMs,
    pub unique: Option<Key>,
    /// The push that began the chain of replaced holders of its key.
    pub since: UnixMs,
    /// When the run began that may still be acknowledged, if it is timed.
    pub run_started: Option<UnixMs>,
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
    pub groups: Groups,
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
    /// What is counted by NAME and by KIND.
    pub names: Counts,
    pub kinds: Counts,
    /// The job that was next to a holder that is being replaced.
    pub inherited: Option<u64>,
    /// How often something changed.
    pub changes: u64,
}

/// How the error of a job begins that died with one it waited for.
const PARENT_ERROR: &[u8] = b"the job '";

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
        self.error = Some(PARENT_ERROR.to_vec());
        self.after.iter_mut().for_each(|(_, open)| *open = false);
    }

    /// The model does not know which of the jobs it was that this one waited for.
    pub fn check_error(&self, error: Option<&[u8]>) {
        match &self.error {
            Some(own) if own == PARENT_ERROR => assert!(error.is_some_and(|error| error.starts_with(own))),
            own => assert_eq!(error, own.as_deref()),
        }
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
        self.after.clear();
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
            name: push.name.map(<[u8]>::to_vec),
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
            batch: 0,
            shift: 0,
            expire: push.expire,
            expires: push.expire.map(|expire| due + expire),
            keep: push.keep,
            worker: None,
            log: Vec::new(),
            progress: None,
            error: None,
            kind: None,
            result: None,
            meta: push.meta.map(<[u8]>::to_vec),
            cost: push.cost,
            pushed_at: 0,
            unique: push.unique.map(|unique| Key {
                key: unique.key[0],
                until: unique.until,
                window: unique.window,
            }),
            since: 0,
            run_started: None,
            popped: false,
            after: Vec::new(),
            on_dead: push.after.map_or(OnDead::Wait, |after| after.on_dead),
        }
    }

    pub fn push(&mut self, push: &Push<'_>, now: UnixMs) -> Result<Pushed, Code> {
        let now = self.advance(now);
        self.push_at(push, now)
    }

    /// Like [`Model::push`], but nothing else happens.
    pub fn push_at(&mut self, push: &Push<'_>, now: UnixMs) -> Result<Pushed, Code> {
        if let Some(known) = push.id.and_then(|id| self.rows.iter().find(|row| row.id == id)) {
            let differs = push.must_match && known.payload != push.payload;
            return if differs { Err(Code::Mismatch) } else { Ok(Pushed::Duplicate(known.id[..].into())) };
        }
        if self.pause.is_some_and(|pause| pause.pushes && pause.until.is_none_or(|until| now < until)) {
            return Err(Code::Paused);
        }
        if self.config.max_payload.is_some_and(|most| push.payload.len() as u64 > most) {
            return Err(Code::TooBig);
        }
        if self.group_takes_no_pushes(push.group) {
            return Err(Code::Paused);
        }
        let (after, doomed) = push.after.map(|after| self.after(&after)).unwrap_or_default();
        let unique = push.unique.filter(|_| !doomed);
        let length = self.rows.iter().filter(|row| row.waits()).count() as u64;
        let full = self.config.max_length.is_some_and(|most| length >= most);
        if unique.is_some_and(|unique| self.is_circle(&unique, &after)) {
            return Err(Code::Err);
        }
        if full && unique.is_none_or(|unique| self.makes_longer(&unique)) {
            return Err(Code::Full);
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
        (row.since, row.pushed_at) = (since, now);
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
            self.count(row.name.clone(), |totals| &mut totals.died);
        }
        let name = row.name.clone();
        self.rows.push(row);
        if unique.is_some() && !next {
            self.claim(serial, now);
            self.claims.last_mut().expect("it").next = self.inherited.take();
        }
        self.count(name, |totals| &mut totals.pushed);
        self.changed(now);
        Ok(answer)
    }

    /// `tokens` are those that the queue chose.
    pub fn pop(&mut self, pop: &Pop<'_>, tokens: &[u64], now: UnixMs) -> Vec<Handed> {
        let now = self.advance(now);
        let mut handed = Vec::new();
        let (chosen, batch) = self.choose(pop, now);
        let batch = batch.map(|batch| if batch > 0 { batch } else { tokens.first().copied().unwrap_or(1) });
        for (token, nth) in tokens.iter().zip(chosen) {
            let lease = self.config.lease;
            self.count_wait(nth, now);
            let row = &mut self.rows[nth];
            row.run_started = (row.name.is_some() || pop.worker.is_some()).then_some(now);
            row.state = State::Active;
            row.at = now + row.lease.or(pop.lease).unwrap_or(lease);
            (row.token, row.started, row.popped) = (*token, true, true);
            row.batch = batch.unwrap_or(row.batch);
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
}
