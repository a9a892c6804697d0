//! UNIQUE: a key has at most one job that holds it, and at most one that is next.
//!
//! A holder lets go of its key when it has ended, is first popped (`UNTIL start`) or its FOR is over; the one
//! that is next takes it then. A key that is held FOR a time alone may outlive its job.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::job_id::Id;
use crate::domain::jobq::state::new_job::{NewKey, Turn};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::state::unique_keys::{Claim, Holder, Role, Unique, Until};
use crate::domain::time::UnixMs;
use std::sync::Arc;

impl Job {
    pub(crate) fn unique(&self) -> Option<&Unique> {
        self.life()?.unique.as_ref()
    }

    pub(crate) fn unique_mut(&mut self) -> Option<&mut Unique> {
        self.life_mut()?.unique.as_mut()
    }

    fn forget_key(&mut self) {
        if let Some(life) = self.life_mut() {
            life.unique = None;
        }
    }

    /// Whether it is neither active nor has ended.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.state, State::Ready | State::Delayed | State::Blocked)
    }

    pub(crate) fn is_next(&self) -> bool {
        self.unique().is_some_and(|unique| unique.role == Role::Next)
    }
}

impl Queue {
    /// Who has a key at `now`. One whose FOR is over is free, but for a job that is next and will take it.
    pub(crate) fn claim(&self, key: &[u8], now: UnixMs) -> Option<&Claim> {
        self.keys
            .claims
            .get(key)
            .filter(|claim| claim.frees == 0 || now < claim.frees || claim.next.is_some())
    }

    /// The first key whose FOR is over.
    pub(crate) fn first_freed(&self, now: UnixMs) -> Option<Arc<[u8]>> {
        self.keys.ends.first().filter(|(at, _)| *at <= now).map(|(_, key)| Arc::clone(key))
    }

    /// Lets go of a key; the job that is next takes it.
    pub(crate) fn free(&mut self, key: &[u8]) {
        let Some(claim) = self.keys.remove(key) else { return };
        if let Holder::Job(holder) = claim.holder
            && let Some(unique) = self.unique_of(holder)
        {
            (unique.role, unique.frees) = (Role::Past, 0);
        }
        if let Some(next) = claim.next {
            self.take(next);
            self.unblock(next);
        }
    }

    /// Gives a job its key, which is free; its FOR counts from now.
    pub(crate) fn take(&mut self, serial: Serial) {
        let now = self.clock;
        let Some(unique) = self.unique_of(serial) else { return };
        unique.role = Role::Holds;
        unique.frees = if unique.window > 0 { now.saturating_add(unique.window) } else { 0 };
        let unique = unique.clone();
        self.keys.enter(serial, &unique);
    }

    fn unique_of(&mut self, serial: Serial) -> Option<&mut Unique> {
        self.jobs.get_mut(serial)?.unique_mut()
    }

    /// What becomes of the key of a job that was popped. What was free at the start is so for good: not even a
    /// REDRIVE takes it again.
    pub(crate) fn key_of_popped(&mut self, serial: Serial) {
        let Some(unique) = self.unique_of(serial).filter(|unique| unique.until == Until::Start) else {
            return;
        };
        let (key, role) = (Arc::clone(&unique.key), unique.role);
        if role == Role::Holds {
            self.free(&key);
        }
        if let Some(job) = self.jobs.get_mut(serial) {
            let before = job.weight();
            job.forget_key();
            self.weight = self.weight - before + job.weight();
        }
    }

    /// What becomes of the key of a job that is done or dead, or that was taken out.
    pub(crate) fn key_of_ended(&mut self, serial: Serial, gone: Option<&Job>) {
        let Some(unique) = gone.or_else(|| self.job(serial)).and_then(Job::unique) else { return };
        let key = Arc::clone(&unique.key);
        match (unique.role, unique.until, gone) {
            (Role::Past, ..) | (Role::Holds, Until::Time, None) => {}
            (Role::Next, ..) => self.stand_back(serial, &key),
            (Role::Holds, Until::Time, Some(job)) => {
                let id = job.shown_id(serial).into();
                if let Some(claim) = self.keys.claims.get_mut(&key) {
                    claim.holder = Holder::Gone(id);
                }
            }
            (Role::Holds, ..) => self.free(&key),
        }
    }

    /// A job is not next any more.
    pub(crate) fn stand_back(&mut self, serial: Serial, key: &[u8]) {
        if let Some(claim) = self.keys.claims.get_mut(key) {
            claim.next = None;
        }
        if let Some(unique) = self.unique_of(serial) {
            unique.role = Role::Past;
        }
    }

    /// The id of the job that has the key of one that is next.
    pub(crate) fn holder_before<'q>(&'q self, job: &'q Job) -> Option<Id<'q>> {
        let unique = job.unique().filter(|unique| unique.role == Role::Next)?;
        match &self.keys.claims.get(&unique.key)?.holder {
            Holder::Job(serial) => Some(self.job(*serial)?.shown_id(*serial)),
            Holder::Gone(id) => Some(Id::from(&**id)),
            Holder::Nobody => None,
        }
    }

    /// Whether a dead job may have its key again.
    pub(crate) fn may_take_again(&self, job: &Job, now: UnixMs) -> bool {
        job.unique().is_none_or(|unique| unique.role == Role::Holds || self.claim(&unique.key, now).is_none())
    }

    /// A dead job has its key again.
    pub(crate) fn take_again(&mut self, serial: Serial) {
        let key = self.job(serial).and_then(Job::unique).filter(|unique| unique.role == Role::Past);
        if let Some(key) = key.map(|unique| Arc::clone(&unique.key)) {
            self.free(&key);
            self.take(serial);
        }
    }

    /// What a new job is to its key. The job in whose place it comes is taken out; `None` when the key is not to be
    /// had in the way that was decided.
    ///
    /// Beside it the anchor of those that wait for the job in whose place it comes.
    pub(crate) fn come_to_key(&mut self, new: NewKey) -> Option<(Unique, Option<Serial>)> {
        let now = self.clock;
        let NewKey { key, until, window, turn } = new;
        let mut anchor = None;
        let role = match (self.claim(&key, now), turn) {
            (_, Turn::Never) => Role::Past,
            (None, _) => {
                self.free(&key);
                Role::Holds
            }
            (Some(claim), Turn::Next) if claim.next.is_none() => Role::Next,
            (Some(claim), Turn::InPlaceOf(old)) => {
                let role = claim.role_of(old)?;
                let job = self.job(old).filter(|job| job.waits())?;
                anchor = self.is_waited_for(old, job).then(|| job.anchor(old));
                self.replace(&key, role, old)?
            }
            _ => return None,
        };
        let key =
            self.keys.claims.get_key_value(&*key).map_or_else(|| key.into(), |(key, _)| Arc::clone(key));
        let frees = if role == Role::Holds && window > 0 { now.saturating_add(window) } else { 0 };
        Some((Unique { key, until, window, role, frees }, anchor))
    }

    /// Takes out a job that waits; its role is free then.
    fn replace(&mut self, key: &[u8], role: Role, old: Serial) -> Option<Role> {
        self.record(old, Event::Replaced.plain());
        self.take_out(old);
        let (key, claim) = self.keys.claims.remove_entry(key)?;
        self.keys.ends.remove(&(claim.frees, Arc::clone(&key)));
        let claim = match role {
            Role::Next => {
                self.keys.note_end(&key, claim.frees);
                Claim { next: None, ..claim }
            }
            _ => Claim { holder: Holder::Nobody, frees: 0, ..claim },
        };
        self.keys.claims.insert(key, claim);
        Some(role)
    }
}
