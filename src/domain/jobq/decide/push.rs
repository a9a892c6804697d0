//! PUSH: a job is added, once for each id.

use crate::domain::decision::Decision;
use crate::domain::jobq::decide::group::refuse_closed_group;
use crate::domain::jobq::effect::{Change, Effect};
use crate::domain::jobq::queue::dependencies::dependency_error;
use crate::domain::jobq::queue::{PushesOf, Queue};
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::jobq::state::config::Config;
use crate::domain::jobq::state::dependencies::{DependencyOutcome, OnDead};
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::job_id::{AutomaticId, JobId};
use crate::domain::jobq::state::new_job::{KeyClaim, NewDependencies, NewJob, NewKey};
use crate::domain::jobq::state::pause::Pause;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::shared_rate::DEFAULT_COST;
use crate::domain::jobq::state::unique_keys::{KeyHolder, Until};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use std::collections::HashMap;

/// When a job may first be popped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many milliseconds after the push.
    After(u64),
    /// At this time, in Unix milliseconds; one that has passed is now.
    At(UnixMs),
}

/// A PUSH. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push<'a> {
    pub payload: &'a [u8],
    /// Chosen by the pusher: 1 to 128 bytes, not beginning with `#`.
    pub id: Option<&'a [u8]>,
    pub name: Option<&'a [u8]>,
    pub meta: Option<&'a [u8]>,
    pub due: Due,
    /// MATCH: a known id must have this payload.
    pub must_match: bool,
    /// Lower ones are served first.
    pub priority: i32,
    /// At the head of those of its priority and group.
    pub lifo: bool,
    /// Those of one group go one after the other: 1 to 128 bytes.
    pub group: Option<&'a [u8]>,
    /// What a run takes of the limits that a POP names, 0 to 10^12.
    pub cost: u64,
    /// `None` is as the queue says now.
    pub retries: Option<u16>,
    /// `None` is as the queue says when it fails.
    pub backoff: Option<Backoff>,
    /// `None` is as the POP says.
    pub lease: Option<u64>,
    /// How long it may wait from when it is first due.
    pub expire: Option<u64>,
    /// How long it is kept when it has ended; `None` is as the queue keeps its jobs.
    pub keep: Option<u64>,
    pub unique: Option<UniqueKey<'a>>,
    pub after: Option<After<'a>>,
}

/// AFTER and ONDEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After<'a> {
    /// At most [`MAX_AFTER`](crate::domain::jobq::MAX_AFTER).
    pub ids: &'a [&'a [u8]],
    pub on_dead: OnDead,
}

/// UNIQUE and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniqueKey<'a> {
    pub key: &'a [u8],
    pub until: Until,
    /// FOR; always given with [`Until::Time`].
    pub window: Option<u64>,
    pub on_dup: OnDup,
    /// MAXWAIT: how long replacing the holder again and again may delay the job.
    pub max_wait: Option<u64>,
}

/// What a push does if its key is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDup {
    /// Nothing.
    Keep,
    /// It comes in the place of the holder if that still waits, else it is next.
    Replace,
    /// It waits until the key is free.
    Next,
    /// Like `Replace`, but it also asks the worker of an active holder to stop.
    Cancel,
}

impl<'a> Push<'a> {
    /// Without options.
    pub fn plain(payload: &'a [u8]) -> Self {
        Push {
            payload,
            id: None,
            must_match: false,
            name: None,
            meta: None,
            due: Due::After(0),
            priority: 0,
            lifo: false,
            group: None,
            cost: DEFAULT_COST,
            retries: None,
            backoff: None,
            lease: None,
            expire: None,
            keep: None,
            unique: None,
            after: None,
        }
    }

    /// The job that is pushed, to be popped from `due` on.
    pub(crate) fn job(&self, due: UnixMs, config: &Config) -> NewJob {
        NewJob {
            payload: self.payload.into(),
            due,
            id: self.id.map(Box::from),
            name: self.name.map(Box::from),
            meta: self.meta.map(Box::from),
            retries: self.retries.unwrap_or(config.retries),
            backoff: self.backoff.clone().map(Box::new),
            lease: self.lease.unwrap_or(0),
            priority: self.priority,
            lifo: self.lifo,
            group: self.group.map(Box::from),
            cost: self.cost,
            expire: self.expire.unwrap_or(0),
            keep: self.keep,
            unique: None,
            dependencies: None,
        }
    }
}

/// What PUSH answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    New(JobId<'static>),
    /// Nothing was added: the id is known, or it is that of the job that holds the key.
    Duplicate(Box<[u8]>),
    /// Added in the place of the job that held the key.
    Replaced(Box<[u8]>),
    /// Added, to wait until the key is free.
    Next(Box<[u8]>),
}

/// Decides a PUSH. An id is remembered for as long as its job is kept, done and dead ones included.
///
/// Refuses (`MISMATCH`), when asked to look, an id that is known with another payload; (`PAUSED`)
/// what comes to a queue that is closed to pushes; (`TOOBIG`) a payload over the queue's own limit;
/// (`FULL`) what would make the queue longer than it may be; (`NOJOB`) to wait for a job that is
/// not there. A known id is a duplicate before any of these.
pub fn decide_push(
    queue: Option<&Queue>,
    push: &Push<'_>,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<Pushed, Effect>, Refusal> {
    PushBatch::new(queue, now, tokens).decide(push)
}

/// Several pushes one after the other, each decided as if those before it had been applied.
pub(crate) struct PushBatch<'q> {
    queue: Option<&'q Queue>,
    now: UnixMs,
    serial: Serial,
    /// How many jobs those before have added that wait.
    added: usize,
    /// The ids that those before have added (true) and taken out.
    ids: HashMap<Box<[u8]>, bool>,
    /// The holder of the key that all of them name.
    key_status: Option<KeyStatus>,
}

/// The holder of a unique key.
#[derive(Debug, Clone, Default)]
struct KeyStatus {
    /// The holder's id, and its serial if it waits.
    holder: Option<(Box<[u8]>, Option<Serial>)>,
    /// The holder if it is active.
    active: Option<Serial>,
    /// The push that began the chain of replaced holders.
    since: UnixMs,
    next: Option<(Box<[u8]>, Serial)>,
}

/// How a push claims its key.
#[derive(Clone, Copy)]
struct DecidedClaim {
    claim: KeyClaim,
    /// The active holder that it asks to stop.
    cancels: Option<Serial>,
    since: UnixMs,
}

impl KeyStatus {
    fn of(queue: &Queue, key: &[u8], now: UnixMs) -> Self {
        let Some(claim) = queue.held_key(key, now) else { return KeyStatus::default() };
        let named = |serial: Serial| {
            let job = queue.job(serial)?;
            Some((Box::from(&*job.shown_id(serial)), job))
        };
        let holder = match &claim.holder {
            KeyHolder::Job(serial) => named(*serial).map(|(id, job)| (id, job.waits().then_some(*serial))),
            KeyHolder::Gone(id) => Some((id.clone(), None)),
            KeyHolder::NotLoaded => None,
        };
        let next = claim.next.and_then(|serial| Some((named(serial)?.0, serial)));
        let job = if let KeyHolder::Job(serial) = claim.holder { queue.job(serial) } else { None };
        let active = match claim.holder {
            KeyHolder::Job(serial) if job.is_some_and(|job| job.state == State::Active) => Some(serial),
            _ => None,
        };
        let since = job.and_then(BorrowedJob::unique).map_or(now, |unique| unique.since);
        KeyStatus { holder, active, since, next }
    }
}

impl<'q> PushBatch<'q> {
    pub fn new(queue: Option<&'q Queue>, now: UnixMs, tokens: &TokenClock) -> Self {
        let serial = queue.map_or(0, |queue| queue.serial_to_push(now, tokens.reign()));
        let now = queue.map_or(now, |queue| queue.clamp(now));
        PushBatch { queue, now, serial, added: 0, ids: HashMap::new(), key_status: None }
    }

    pub fn decide(&mut self, push: &Push<'_>) -> Result<Decision<Pushed, Effect>, Refusal> {
        if let Some(id) = push.id
            && let Some(known) = self.known(id, push)?
        {
            return Ok(Decision::answer(known));
        }
        refuse_closed(self.queue, push.payload.len(), self.now)?;
        refuse_closed_group(self.queue, push.group, self.now)?;
        let id =
            push.id.map_or_else(|| JobId::Automatic(AutomaticId::of(self.serial, self.now)), JobId::from);
        let dependencies = push.after.map(|after| self.dependencies(&after)).transpose()?;
        let dead = dependencies.as_ref().is_some_and(|dependencies| dependencies.dependency_error.is_some());
        let never = DecidedClaim { claim: KeyClaim::Dead, cancels: None, since: self.now };
        let (pushed, claim) = match push.unique.filter(|_| !dead).map(|unique| self.key_claim(&unique, &id)) {
            None => (Pushed::New(id.into_owned()), dead.then_some(never)),
            Some((answer, None)) => return Ok(Decision::answer(answer)),
            Some((answer, claim)) => (answer, claim),
        };
        let replaced = claim.and_then(|decided| match decided.claim {
            KeyClaim::Replace(old) => Some(old),
            _ => None,
        });
        let inherited_from = replaced.into_iter().chain(claim.and_then(|decided| decided.cancels));
        if let Some(dependencies) = &dependencies {
            inherited_from.into_iter().try_for_each(|old| self.refuse_circle(old, dependencies))?;
        }
        if replaced.is_none() {
            refuse_full(self.queue, self.added + 1)?;
            self.added += 1;
        }
        let job = NewJob { dependencies, ..new_job(self.queue, push, claim, self.now) };
        let effect = Effect { now: self.now, change: Change::Push { serial: self.serial, job } };
        self.ids.extend(push.id.map(|id| (id.into(), true)));
        self.serial += 1;
        Ok(Decision::change(pushed, effect))
    }

    /// The answer to an id that is known.
    fn known(&self, id: &[u8], push: &Push<'_>) -> Result<Option<Pushed>, Refusal> {
        if let Some(added) = self.ids.get(id) {
            return Ok(added.then(|| Pushed::Duplicate(id.into())));
        }
        let Some((_, known)) = self.queue.and_then(|queue| queue.find(id)) else { return Ok(None) };
        if push.must_match && known.payload() != push.payload {
            let text = format!("the id '{}' is known with another payload", shown(id));
            return Err(Refusal::new(Code::Mismatch, text));
        }
        Ok(Some(Pushed::Duplicate(id.into())))
    }

    /// What a push waits for.
    fn dependencies(&self, after: &After<'_>) -> Result<NewDependencies, Refusal> {
        let mut dependencies =
            NewDependencies { after: Vec::new(), on_dead: after.on_dead, dependency_error: None };
        for id in after.ids {
            let Some((serial, job)) = self.queue.and_then(|queue| queue.find(id)) else {
                let text = format!("AFTER '{}': there is no such job in this queue", shown(id));
                return Err(Refusal::new(Code::NoJob, text));
            };
            match (job.state, after.on_dead) {
                (State::Done, _) | (State::Dead, OnDead::Run) => continue,
                (State::Dead, OnDead::Fail) if dependencies.dependency_error.is_none() => {
                    dependencies.dependency_error =
                        Some(dependency_error(&shown(id), DependencyOutcome::Dead));
                }
                _ => {}
            }
            dependencies.after.push(job.root(serial));
        }
        Ok(dependencies)
    }

    /// Refuses a push that waits for other jobs and replaces a job that others wait for: they may
    /// be the same jobs.
    fn refuse_circle(&self, old: Serial, dependencies: &NewDependencies) -> Result<(), Refusal> {
        let Some((queue, job)) = self.queue.and_then(|queue| Some((queue, queue.job(old)?))) else {
            return Ok(());
        };
        let next = self.key_status.as_ref().is_some_and(|key_status| key_status.next.is_some());
        let in_the_way = queue.is_waited_for(old, job) || (next && job.waits() && !job.is_next());
        if !dependencies.after.is_empty() && (in_the_way || dependencies.after.contains(&job.root(old))) {
            let id = job.shown_id(old);
            return Err(Refusal::err(format!(
                "AFTER: the push would take the place of '{}', which is waited for; leave out AFTER or ONDUP",
                shown(&id)
            )));
        }
        Ok(())
    }

    /// Decides how a push claims its key. Returns the answer, and `None` if no job is added.
    fn key_claim(&mut self, unique: &UniqueKey<'_>, id: &[u8]) -> (Pushed, Option<DecidedClaim>) {
        let (queue, now, serial) = (self.queue, self.now, self.serial);
        let key_status = self.key_status.get_or_insert_with(|| {
            queue.map_or_else(KeyStatus::default, |queue| KeyStatus::of(queue, unique.key, now))
        });
        let Some((holder, waiting)) = &key_status.holder else {
            key_status.holder = Some((id.into(), Some(serial)));
            key_status.since = now;
            let decided = DecidedClaim { claim: KeyClaim::Free, cancels: None, since: now };
            return (Pushed::New(JobId::from(id).into_owned()), Some(decided));
        };
        match (unique.on_dup, waiting) {
            (OnDup::Keep, _) => (Pushed::Duplicate(holder.clone()), None),
            (OnDup::Replace | OnDup::Cancel, Some(old)) => {
                let claim = KeyClaim::Replace(*old);
                let decided = DecidedClaim { claim, cancels: None, since: key_status.since };
                let old = key_status.holder.replace((id.into(), Some(serial)));
                self.ids.extend(old.map(|(id, _)| (id, false)));
                (Pushed::Replaced(id.into()), Some(decided))
            }
            _ => {
                let old = key_status.next.replace((id.into(), serial));
                let claim = old.as_ref().map_or(KeyClaim::Wait, |(_, old)| KeyClaim::Replace(*old));
                self.ids.extend(old.map(|(id, _)| (id, false)));
                let cancels = key_status.active.filter(|_| unique.on_dup == OnDup::Cancel);
                (Pushed::Next(id.into()), Some(DecidedClaim { claim, cancels, since: now }))
            }
        }
    }
}

/// The effect of pushes that a primary has accepted at `now` and that wait for nothing.
pub fn push_effect(queue: Option<&Queue>, pushes: &[Push<'_>], now: UnixMs) -> Option<Effect> {
    let now = queue.map_or(now, |queue| queue.clamp(now));
    let first = queue.map_or(0, |queue| queue.next_serial);
    let change = |(serial, push)| Change::Push { serial, job: new_job(queue, push, None, now) };
    Effect::from_changes((first..).zip(pushes).map(change).collect(), now)
}

fn new_job(queue: Option<&Queue>, push: &Push<'_>, claim: Option<DecidedClaim>, now: UnixMs) -> NewJob {
    let key = |DecidedClaim { claim, cancels, since }| {
        let UniqueKey { key, until, window, .. } = push.unique?;
        let (window, cancels) = (window.unwrap_or(0), cancels.is_some());
        Some(NewKey { key: key.into(), until, window, claim, cancels, since })
    };
    let due = match push.due {
        Due::After(delay) => now + delay,
        Due::At(time) => time.max(now),
    };
    let latest = claim.and_then(|decided| Some(decided.since + push.unique?.max_wait?));
    let due = latest.map_or(due, |latest| due.min(latest).max(now));
    let new = |config: &Config| NewJob { unique: claim.and_then(key), ..push.job(due, config) };
    queue.map_or_else(|| new(&Config::default()), |queue| new(&queue.config))
}

pub(crate) fn refuse_closed(queue: Option<&Queue>, bytes: usize, now: UnixMs) -> Result<(), Refusal> {
    let pause = queue.and_then(|queue| queue.paused(now)).filter(|pause| pause.pushes);
    if let Some(Pause { until, .. }) = pause {
        let until = until.map_or_else(|| "JOBQ.RESUME".into(), |until| format!("{until}"));
        return Err(Refusal::new(Code::Paused, format!("the queue takes no jobs until {until}")));
    }
    refuse_big(queue, bytes)
}

/// Refuses a payload of more bytes than the queue takes.
pub(crate) fn refuse_big(queue: Option<&Queue>, bytes: usize) -> Result<(), Refusal> {
    if let Some(most) = queue.and_then(|queue| queue.config.max_payload)
        && bytes as u64 > most
    {
        let text = format!("the payload has {bytes} bytes, this queue takes at most {most} (max_payload)");
        return Err(Refusal::new(Code::TooBig, text));
    }
    Ok(())
}

/// Where the clock is behind a queue, its serials skip at most so many after a start or promotion.
const MAX_SERIALS_SKIPPED: u64 = 1 << 32;

impl Queue {
    /// The serial of the next push.
    ///
    /// A queue's clock stands while the server's is behind it. Pushes that were lost with the end
    /// of a file, or with a primary, may then have had the time that the next ones have, and with
    /// it their ids. So the first push after a start or a promotion skips serials at random.
    fn serial_to_push(&self, now: UnixMs, reign: u64) -> Serial {
        let mut pushes = self.pushes_of.get();
        if pushes.reign != reign {
            let is_behind = now < self.clock;
            let from = if is_behind { self.next_serial + 1 + reign % MAX_SERIALS_SKIPPED } else { 0 };
            pushes = PushesOf { reign, from };
            self.pushes_of.set(pushes);
        }
        self.next_serial.max(pushes.from)
    }

    /// Whether the change adds the very next serials, as replicas would by themselves.
    pub(crate) fn pushes_in_a_row(&self, change: &Change) -> bool {
        match change {
            Change::Push { serial, .. } => *serial == self.next_serial,
            Change::Batch(changes) => changes.first().is_none_or(|first| self.pushes_in_a_row(first)),
            _ => true,
        }
    }

    /// How many more jobs may wait.
    pub(crate) fn length_left(&self) -> u64 {
        self.config.max_length.map_or(u64::MAX, |most| most.saturating_sub(self.length() as u64))
    }
}

/// Refuses `more` jobs if the queue would exceed max_length.
pub(crate) fn refuse_full(queue: Option<&Queue>, more: usize) -> Result<(), Refusal> {
    let Some(queue) = queue else { return Ok(()) };
    match queue.config.max_length {
        Some(most) if (queue.length() + more) as u64 > most => {
            let length = queue.length();
            let text = format!("{length} jobs wait in this queue, at most {most} may (max_length)");
            Err(Refusal::new(Code::Full, text))
        }
        _ => Ok(()),
    }
}
