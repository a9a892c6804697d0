//! What a change of one job is to others in the naive model: those that wait for it, and those that
//! want its key.

use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::tests::model::{Claimed, Model};
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::UnixMs;
use std::cmp::Reverse;

impl Model {
    /// What follows for those that wait for others.
    pub fn settle(&mut self, now: UnixMs) -> bool {
        let mut moved = false;
        while self.settle_keys(now) || self.settle_flows(now) {
            moved = true;
        }
        moved
    }

    /// Notifies one job of the end of a job it waits for. The queue first notifies the dependents
    /// of the job that was pushed last, and among them first the jobs that die with it.
    pub fn settle_flows(&mut self, now: UnixMs) -> bool {
        let this = &*self;
        let blocked = this.rows.iter().enumerate().filter(|(_, row)| row.state == State::Blocked);
        let edges = blocked.flat_map(|(at, row)| {
            let open = row.after.iter().enumerate().filter(|(_, (_, open))| *open);
            open.filter_map(move |(nth, (parent, _))| {
                let dies = this.dooms(*parent, row.on_dead)?;
                let root = this.roots.get(parent).unwrap_or(parent);
                Some((*root, Reverse((row.on_dead == OnDead::Wait, row.serial)), at, nth, dies))
            })
        });
        let Some((_, _, at, nth, dies)) = edges.max() else { return false };
        let (shift, row) = (self.shift(now), &mut self.rows[at]);
        row.after[nth].1 = false;
        if dies {
            row.mark_dead(now);
            let name = row.name.clone();
            self.count(name, |totals| &mut totals.died);
        } else if self.claims.iter().all(|claim| claim.next != Some(row.serial)) {
            row.unblock(now, shift);
        }
        self.sync();
        true
    }

    /// Whether one that waits for this job dies with it, or goes on without it; `None` while it
    /// waits.
    fn dooms(&self, parent: u64, on_dead: OnDead) -> Option<bool> {
        match (self.rows.iter().find(|row| row.serial == parent).map(|row| row.state), on_dead) {
            (Some(State::Done), _) | (Some(State::Dead) | None, OnDead::Run) => Some(false),
            (Some(State::Dead), OnDead::Fail) | (None, _) => Some(true),
            _ => None,
        }
    }

    /// Keys that are not held any more go on to those that are next.
    pub fn settle_keys(&mut self, now: UnixMs) -> bool {
        let over = |model: &mut Model, claim: &Claimed| {
            let holder = model.row(claim.holder);
            let started = holder.as_ref().is_some_and(|row| row.popped);
            let ended = holder.is_none_or(|row| matches!(row.state, State::Done | State::Dead));
            claim.frees.is_some_and(|frees| frees <= now)
                || match claim.by.until {
                    Until::Start => ended || started,
                    Until::Done => ended,
                    Until::Time => false,
                }
        };
        let mut moved = false;
        for claim in std::mem::take(&mut self.claims) {
            let next = claim.next;
            let next = next.filter(|next| self.row(*next).is_some_and(|row| row.state == State::Blocked));
            let kept = !over(self, &claim);
            moved |= !kept;
            if kept {
                self.claims.push(Claimed { next, ..claim });
            } else if let Some(next) = next {
                self.claim(next, now);
                let shift = self.shift(now);
                self.row(next).expect("the next").unblock(now, shift);
            }
        }
        moved
    }

    pub fn claim(&mut self, holder: u64, now: UnixMs) {
        let row = self.row(holder).expect("a job");
        let (by, id) = (row.unique.expect("a key"), row.id.clone());
        let frees = by.window.map(|window| now + window);
        self.claims.push(Claimed { by, holder, id, frees, next: None });
    }

    /// A job gives up its key, or its claim to be next; returns whether it had one.
    pub fn give_up_key(&mut self, serial: u64, now: UnixMs) -> bool {
        let shift = self.shift(now);
        let is_its = |claim: &Claimed| claim.holder == serial || claim.next == Some(serial);
        let Some(at) = self.claims.iter().position(is_its) else { return false };
        if self.claims[at].holder == serial {
            let claim = self.claims.remove(at);
            if let Some(next) = claim.next {
                self.claim(next, now);
                self.row(next).expect("the next").unblock(now, shift);
            }
        } else {
            self.claims[at].next = None;
            self.row(serial).expect("it").unblock(now, shift);
        }
        self.row(serial).expect("it").unique = None;
        self.sync();
        true
    }

    /// Whether a push adds a job without taking the place of another.
    pub fn makes_longer(&self, unique: &UniqueKey<'_>) -> bool {
        let Some(claim) = self.claims.iter().find(|claim| claim.by.key == unique.key[0]) else { return true };
        let waits = self.rows.iter().any(|row| row.serial == claim.holder && row.waits());
        match unique.on_dup {
            OnDup::Keep => false,
            OnDup::Replace | OnDup::Cancel if waits => false,
            _ => claim.next.is_none(),
        }
    }

    /// What UNIQUE makes of a push: its answer, and whether a job is added and blocked.
    pub fn come_to_key(&mut self, unique: &UniqueKey<'_>, serial: u64, id: &[u8]) -> (Pushed, Option<bool>) {
        let waiting: Vec<u64> = self.rows.iter().filter(|row| row.waits()).map(|row| row.serial).collect();
        let Some(claim) = self.claims.iter_mut().find(|claim| claim.by.key == unique.key[0]) else {
            return (Pushed::New(JobId::from(id).into_owned()), Some(false));
        };
        let old = match unique.on_dup {
            OnDup::Keep => return (Pushed::Duplicate(claim.id[..].into()), None),
            OnDup::Replace | OnDup::Cancel if waiting.contains(&claim.holder) => {
                let old = claim.holder;
                let next = claim.next;
                self.claims.retain(|claim| claim.holder != old);
                self.rows.retain(|row| row.serial != old);
                self.hand_over(old, serial);
                self.inherited = next;
                return (Pushed::Replaced(id.into()), Some(false));
            }
            _ => claim.next.replace(serial),
        };
        let holder = claim.holder;
        self.rows.retain(|row| Some(row.serial) != old);
        let inherits = !old.is_some_and(|old| self.is_waited_for(old));
        if let Some(old) = old {
            self.hand_over(old, serial);
        }
        let active =
            self.row(holder).filter(|row| row.state == State::Active && unique.on_dup == OnDup::Cancel);
        if let Some(row) = active {
            row.cancelled = true;
            if inherits && self.is_waited_for(holder) {
                self.hand_over(holder, serial);
                self.roots.insert(holder, serial);
            }
        }
        (Pushed::Next(id.into()), Some(true))
    }

    /// The jobs that a new job waits for, and whether it is dead at once.
    pub fn after(&self, after: &After<'_>) -> (Vec<(u64, bool)>, bool) {
        let (mut waits, mut doomed) = (Vec::new(), false);
        for id in after.ids {
            let parent = self.rows.iter().find(|row| row.id == *id).expect("a job");
            match (parent.state, after.on_dead) {
                (State::Done, _) | (State::Dead, OnDead::Run) => continue,
                (State::Dead, OnDead::Fail) => doomed = true,
                _ => {}
            }
            if !waits.contains(&(parent.serial, true)) {
                waits.push((parent.serial, true));
            }
        }
        (waits, doomed)
    }

    /// What an UPDATE makes a job wait for besides: the new jobs, its ONDEAD, and whether it dies
    /// of one that is dead.
    pub fn new_parents(
        &mut self,
        serial: u64,
        parents: &AddedParents<'_>,
    ) -> Result<(Vec<u64>, OnDead, bool), Code> {
        let row = self.row(serial).expect("it").clone();
        if !row.waits() || row.token > 0 || row.failures > 0 {
            return Err(Code::Err);
        }
        let known = (!row.after.is_empty()).then_some(row.on_dead);
        let on_dead = known.or(parents.on_dead).unwrap_or(OnDead::Wait);
        if parents.on_dead.is_some_and(|given| given != on_dead) {
            return Err(Code::Err);
        }
        let (mut new, mut doomed) = (Vec::new(), false);
        for id in parents.ids {
            let parent = self.rows.iter().find(|row| row.id == *id).ok_or(Code::NoJob)?;
            let waits = parent.state == State::Blocked || !parent.after.is_empty();
            if parent.serial == serial || waits {
                return Err(Code::Err);
            }
            match (parent.state, on_dead) {
                (State::Done, _) | (State::Dead, OnDead::Run) => continue,
                (State::Dead, OnDead::Fail) => doomed = true,
                _ => {}
            }
            if !row.after.contains(&(parent.serial, true)) && !new.contains(&parent.serial) {
                new.push(parent.serial);
            }
        }
        Ok((new, on_dead, doomed))
    }

    /// Returns whether anything changed.
    pub fn add_parents(
        &mut self,
        serial: u64,
        new: Vec<u64>,
        on_dead: OnDead,
        doomed: bool,
        now: UnixMs,
    ) -> bool {
        if new.is_empty() {
            return false;
        }
        let row = self.row(serial).expect("it");
        row.on_dead = on_dead;
        for parent in new {
            row.after.retain(|(known, _)| *known != parent);
            row.after.push((parent, true));
        }
        row.after.sort_unstable();
        row.expires = None;
        if row.state != State::Blocked {
            (row.state, row.at) = (State::Blocked, now);
        }
        if doomed {
            row.mark_dead(now);
            let name = row.name.clone();
            self.count(name, |totals| &mut totals.died);
        }
        self.sync();
        true
    }

    /// Whether a push that waits would take the place of a job that is waited for.
    pub fn is_circle(&self, unique: &UniqueKey<'_>, after: &[(u64, bool)]) -> bool {
        let Some(claim) = self.claims.iter().find(|claim| claim.by.key == unique.key[0]) else {
            return false;
        };
        let waits = self.rows.iter().any(|row| row.serial == claim.holder && row.waits());
        let active =
            |serial: u64| self.rows.iter().any(|row| row.serial == serial && row.state == State::Active);
        let (old, in_the_way) = match unique.on_dup {
            OnDup::Keep => return false,
            OnDup::Replace | OnDup::Cancel if waits => (Some(claim.holder), claim.next.is_some()),
            _ => (claim.next, false),
        };
        let cancelled = (unique.on_dup == OnDup::Cancel && active(claim.holder)).then_some(claim.holder);
        let in_circle = |old: u64| self.is_waited_for(old) || after.contains(&(old, true));
        !after.is_empty()
            && (old.is_some_and(|old| in_the_way || in_circle(old)) || cancelled.is_some_and(in_circle))
    }

    fn is_waited_for(&self, serial: u64) -> bool {
        self.rows.iter().any(|row| row.after.contains(&(serial, true)))
    }

    /// The push that began the chain of replaced holders that a push goes on with.
    pub fn chain_since(&self, unique: &UniqueKey<'_>, now: UnixMs) -> UnixMs {
        let claim = self.claims.iter().find(|claim| claim.by.key == unique.key[0]);
        let holder =
            claim.and_then(|claim| self.rows.iter().find(|row| row.serial == claim.holder && row.waits()));
        let replaces = matches!(unique.on_dup, OnDup::Replace | OnDup::Cancel);
        holder.filter(|_| replaces).map_or(now, |row| row.since)
    }

    /// Those that waited for a job that is replaced wait for the new one.
    pub fn hand_over(&mut self, old: u64, new: u64) {
        if self.rows.iter().any(|row| row.after.contains(&(old, true))) {
            self.roots.insert(new, *self.roots.get(&old).unwrap_or(&old));
            let parents = self.rows.iter_mut().flat_map(|row| &mut row.after);
            parents.filter(|(parent, _)| *parent == old).for_each(|(parent, _)| *parent = new);
        }
    }
}
