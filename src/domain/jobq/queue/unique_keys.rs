//! UNIQUE: a key has at most one job that holds it, and at most one that is next.
//!
//! A holder lets go of its key when it has ended, is first popped (`UNTIL start`) or its FOR is
//! over; the one that is next takes it then. A key that is held FOR a time alone may outlive its
//! job.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::new_job::{KeyClaim, NewKey};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::unique_keys::{HeldKey, KeyHolder, KeyRole, Unique, Until};
use crate::domain::time::UnixMs;
use std::sync::Arc;

impl<'j> BorrowedJob<'j> {
    pub(crate) fn unique(self) -> Option<&'j Unique> {
        self.lifetime()?.unique.as_ref()
    }

    /// Whether it is neither active nor has ended.
    pub(crate) fn waits(self) -> bool {
        matches!(self.state, State::Ready | State::Delayed | State::Blocked)
    }

    pub(crate) fn is_next(self) -> bool {
        self.unique().is_some_and(|unique| unique.role == KeyRole::Next)
    }
}

impl Queue {
    /// The holder of a key at `now`. A key whose FOR is over is free, unless a job is next and will
    /// take it.
    pub(crate) fn held_key(&self, key: &[u8], now: UnixMs) -> Option<&HeldKey> {
        self.keys
            .held
            .get(key)
            .filter(|claim| claim.free_at == 0 || now < claim.free_at || claim.next.is_some())
    }

    /// The first key whose FOR is over.
    pub(crate) fn first_free_key(&self, now: UnixMs) -> Option<Arc<[u8]>> {
        self.keys.ends.first().filter(|(at, _)| *at <= now).map(|(_, key)| Arc::clone(key))
    }

    /// Releases a key. The job that is next takes it.
    pub(crate) fn release_key(&mut self, key: &[u8]) {
        let Some(claim) = self.keys.remove(key) else { return };
        if let KeyHolder::Job(holder) = claim.holder
            && let Some(unique) = self.unique_of(holder)
        {
            (unique.role, unique.free_at) = (KeyRole::Past, 0);
        }
        if let Some(next) = claim.next {
            self.acquire_key(next);
            self.unblock(next);
        }
    }

    /// Gives a job its key, which must be free. Its FOR counts from now.
    pub(crate) fn acquire_key(&mut self, serial: Serial) {
        let now = self.clock;
        let Some(unique) = self.unique_of(serial) else { return };
        unique.role = KeyRole::Holds;
        unique.free_at = if unique.window > 0 { now.saturating_add(unique.window) } else { 0 };
        let unique = unique.clone();
        self.keys.insert(serial, &unique);
    }

    fn unique_of(&mut self, serial: Serial) -> Option<&mut Unique> {
        self.jobs.lifetime_mut(serial)?.unique.as_mut()
    }

    /// Releases the key of a job that was popped if it is held until the start. That is final: not
    /// even a REDRIVE takes the key again.
    pub(crate) fn update_key_after_pop(&mut self, serial: Serial) {
        let Some(unique) = self.unique_of(serial).filter(|unique| unique.until == Until::Start) else {
            return;
        };
        let (key, role) = (Arc::clone(&unique.key), unique.role);
        if role == KeyRole::Holds {
            self.release_key(&key);
        }
        self.forget_key(serial);
    }

    fn forget_key(&mut self, serial: Serial) {
        if let Some(lifetime) = self.jobs.lifetime_mut(serial) {
            let before = lifetime.memory_bytes();
            lifetime.unique = None;
            self.job_bytes = self.job_bytes - before + lifetime.memory_bytes();
        }
    }

    /// Makes a job give up its key, or its claim to be the next holder, whatever becomes of the
    /// job.
    pub(crate) fn give_up_key(&mut self, serial: Serial) {
        let Some(unique) = self.job(serial).and_then(BorrowedJob::unique) else { return };
        let (key, role) = (Arc::clone(&unique.key), unique.role);
        match role {
            KeyRole::Past => return,
            KeyRole::Holds => self.release_key(&key),
            KeyRole::Next => self.abandon_next(serial, &key),
        }
        self.forget_key(serial);
        self.unblock(serial);
    }

    /// Updates the key of a job that ended or was removed.
    pub(crate) fn update_key_after_end(&mut self, serial: Serial, gone: Option<BorrowedJob<'_>>) {
        let Some(unique) = gone.or_else(|| self.job(serial)).and_then(BorrowedJob::unique) else { return };
        let key = Arc::clone(&unique.key);
        match (unique.role, unique.until, gone) {
            (KeyRole::Past, ..) | (KeyRole::Holds, Until::Time, None) => {}
            (KeyRole::Next, ..) => self.abandon_next(serial, &key),
            (KeyRole::Holds, Until::Time, Some(job)) => {
                let id = job.shown_id(serial).into();
                if let Some(claim) = self.keys.held.get_mut(&key) {
                    claim.holder = KeyHolder::Gone(id);
                }
            }
            (KeyRole::Holds, ..) => self.release_key(&key),
        }
    }

    /// Takes back a job's claim to be the next holder.
    pub(crate) fn abandon_next(&mut self, serial: Serial, key: &[u8]) {
        if let Some(claim) = self.keys.held.get_mut(key) {
            claim.next = None;
        }
        if let Some(unique) = self.unique_of(serial) {
            unique.role = KeyRole::Past;
        }
    }

    /// The id of the job that holds the key for which this job is next.
    pub(crate) fn holder_before<'q>(&'q self, job: BorrowedJob<'q>) -> Option<JobId<'q>> {
        let unique = job.unique().filter(|unique| unique.role == KeyRole::Next)?;
        match &self.keys.held.get(&unique.key)?.holder {
            KeyHolder::Job(serial) => Some(self.job(*serial)?.shown_id(*serial)),
            KeyHolder::Gone(id) => Some(JobId::from(&**id)),
            KeyHolder::NotLoaded => None,
        }
    }

    /// Whether a job that ended may take its key again.
    pub(crate) fn may_reacquire_key(&self, job: BorrowedJob<'_>, now: UnixMs) -> bool {
        job.unique()
            .is_none_or(|unique| unique.role == KeyRole::Holds || self.held_key(&unique.key, now).is_none())
    }

    /// Gives a redriven job its key again.
    pub(crate) fn reacquire_key(&mut self, serial: Serial) {
        let key =
            self.job(serial).and_then(BorrowedJob::unique).filter(|unique| unique.role == KeyRole::Past);
        if let Some(key) = key.map(|unique| Arc::clone(&unique.key)) {
            self.release_key(&key);
            self.acquire_key(serial);
        }
    }

    /// Claims the key for a new job and removes the job it replaces. Returns `None` if the key can
    /// no longer be claimed as decided.
    ///
    /// Beside it the anchor of those that wait for the job in whose place it comes.
    pub(crate) fn claim_key(&mut self, serial: Serial, new: NewKey) -> Option<(Unique, Option<Serial>)> {
        let now = self.clock;
        let NewKey { key, until, window, claim, cancels, since } = new;
        let mut root = None;
        let role = match (self.held_key(&key, now), claim) {
            (_, KeyClaim::Dead) => KeyRole::Past,
            (None, _) => {
                self.release_key(&key);
                KeyRole::Holds
            }
            (Some(claim), KeyClaim::Wait) if claim.next.is_none() => KeyRole::Next,
            (Some(claim), KeyClaim::Replace(old)) => {
                let role = claim.role_of(old)?;
                let job = self.job(old).filter(|job| job.waits())?;
                root = self.is_waited_for(old, job).then(|| job.root(old));
                self.replace(&key, role, old)?
            }
            _ => return None,
        };
        if cancels && role == KeyRole::Next {
            let inherited = self.cancel_holder(&key, serial, root.is_none());
            root = root.or(inherited);
        }
        let key = self.keys.held.get_key_value(&*key).map_or_else(|| key.into(), |(key, _)| Arc::clone(key));
        let free_at = if role == KeyRole::Holds && window > 0 { now.saturating_add(window) } else { 0 };
        Some((Unique { key, until, window, role, free_at, since }, root))
    }

    /// Asks the worker of an active holder to stop. If `inherits`, the job that is next takes over
    /// the jobs that wait for the holder: the two swap their roots. Returns the root that it takes
    /// over.
    fn cancel_holder(&mut self, key: &[u8], next: Serial, inherits: bool) -> Option<Serial> {
        let KeyHolder::Job(holder) = self.keys.held.get(key)?.holder else { return None };
        let job = self.job(holder).filter(|job| job.state == State::Active)?;
        let root = (inherits && self.is_waited_for(holder, job)).then(|| job.root(holder));
        let requested = (!job.is_cancelled()).then(|| Event::CancelRequested.plain());
        self.change_and_log(holder, requested, |job| {
            job.history_mut().cancelled = true;
            if let Some(lifetime) = job.lifetime_mut().filter(|_| root.is_some()) {
                lifetime.root = Some(next);
            }
        });
        if let Some(root) = root {
            self.dependency_graph.replaced_by.remove(&root);
            self.dependency_graph.replaced_by.insert(next, holder);
        }
        root
    }

    /// Removes a waiting job, so that its role is free.
    fn replace(&mut self, key: &[u8], role: KeyRole, old: Serial) -> Option<KeyRole> {
        self.log_event(old, Event::Replaced.plain());
        self.detach(old);
        let (key, claim) = self.keys.held.remove_entry(key)?;
        self.keys.ends.remove(&(claim.free_at, Arc::clone(&key)));
        let claim = match role {
            KeyRole::Next => {
                self.keys.note_end(&key, claim.free_at);
                HeldKey { next: None, ..claim }
            }
            _ => HeldKey { holder: KeyHolder::NotLoaded, free_at: 0, ..claim },
        };
        self.keys.held.insert(key, claim);
        Some(role)
    }
}
