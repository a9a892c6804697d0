//! The registry of all lists of waiters, and when to look at which list.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use super::key_waiters::KeyWaiters;
use super::limits::{MAX_WAITERS, MAX_WAITERS_PER_KEY};
use super::wait_list::WaitList;
use super::waiter::{Delivery, Handed, KeyName, State, WaitFor, Waiter};
use crate::module_api::main_thread::MainThread;
use crate::module_api::timer::{PAUSED_RETRY_MS, Timer};

/// One list: whose key it is, and what is awaited in it.
pub(crate) type ListId = (i32, KeyName, WaitFor);

#[derive(Default)]
pub(crate) struct WaiterRegistry {
    pub by_key: HashMap<i32, HashMap<KeyName, KeyWaiters>>,
    /// Blocked clients, those handed something but not yet freed included.
    clients: usize,
    /// As `clients`, each counted for every key that it waits for.
    places: usize,
    /// How many have waited so far.
    numbers: u64,
    /// How many wait for subjects: most servers have none, and pay nothing for what changes.
    pub readers: usize,
    /// Handed something, to be woken.
    pub to_wake: VecDeque<Rc<Waiter>>,
    /// Handed to clients that have gone.
    pub to_undo: VecDeque<(i32, Handed)>,
    /// Lists whose subject has changed within the current command or transaction.
    pub notified: VecDeque<ListId>,
    /// Lists that the timer has to look at.
    pub stale: VecDeque<ListId>,
    /// When to look at which list.
    pub deadlines: BTreeSet<(u64, ListId)>,
    /// All that wait, by when their waits have ended for certain and by their numbers.
    ends: BTreeMap<(Instant, u64), Rc<Waiter>>,
    /// The running timer and when it fires.
    pub timer: Option<(u64, Timer)>,
}

static REGISTRY: MainThread<Option<WaiterRegistry>> = MainThread::new(None);

pub(crate) fn with<R>(body: impl FnOnce(&mut WaiterRegistry) -> R) -> R {
    REGISTRY.with(|registry| body(registry.get_or_insert_default()))
}

impl WaiterRegistry {
    pub fn key_waiters(&mut self, db: i32, key: &[u8]) -> Option<&mut KeyWaiters> {
        self.by_key.get_mut(&db)?.get_mut(key)
    }

    pub fn list(&mut self, (db, key, awaited): &ListId) -> Option<&mut WaitList> {
        self.key_waiters(*db, key)?.list(*awaited)
    }

    /// The timer is to look at the list, or to go on with it.
    pub fn schedule_check(&mut self, place: &ListId) {
        if let Some(list) = self.list(place)
            && list.len() > 0
            && !std::mem::replace(&mut list.stale, true)
        {
            self.stale.push_back(place.clone());
        }
    }

    /// The timer is to try all waiters of the list.
    pub fn schedule_full_check(&mut self, place: &ListId) {
        if let Some(list) = self.list(place) {
            list.start_round();
        }
        self.schedule_check(place);
    }

    /// Like [`WaiterRegistry::schedule_full_check`], but for every list of a key.
    pub fn schedule_key_check(&mut self, db: i32, key: &[u8]) {
        let Some((key, key_waiters)) = self.by_key.get(&db).and_then(|by_key| by_key.get_key_value(key))
        else {
            return;
        };
        let places: Vec<ListId> =
            key_waiters.awaited().map(|awaited| (db, Rc::clone(key), awaited)).collect();
        places.iter().for_each(|place| self.schedule_full_check(place));
    }

    /// Like [`WaiterRegistry::schedule_check`], but for the lists in order of a key: a look at one
    /// looks at all.
    pub fn schedule_turns_check(&mut self, db: i32, key: &[u8]) {
        let Some((key, key_waiters)) = self.by_key.get(&db).and_then(|by_key| by_key.get_key_value(key))
        else {
            return;
        };
        let first = key_waiters.awaited().find(|awaited| !matches!(awaited, WaitFor::Subject(_)));
        if let Some(turn) = first {
            let place = (db, Rc::clone(key), turn);
            self.schedule_check(&place);
        }
    }

    /// The subject of the list has changed: every waiter of the list is tried before the current
    /// command or transaction ends.
    pub fn notify(&mut self, place: ListId) {
        if let Some(list) = self.list(&place) {
            list.start_round();
            if !std::mem::replace(&mut list.notified, true) {
                self.notified.push_back(place);
            }
        }
    }

    /// The lists whose subject has changed are to be looked at by whoever looks at stale ones.
    pub fn notified_are_stale(&mut self) {
        while let Some(place) = self.notified.pop_front() {
            if let Some(list) = self.list(&place) {
                list.notified = false;
            }
            self.schedule_check(&place);
        }
    }

    pub fn set_due(&mut self, place: &ListId, due: Option<u64>) {
        let Some(list) = self.list(place) else { return };
        let before = std::mem::replace(&mut list.due, due);
        if before == due {
            return;
        }
        if let Some(at) = before {
            self.deadlines.remove(&(at, place.clone()));
        }
        if let Some(at) = due {
            self.deadlines.insert((at, place.clone()));
        }
    }

    /// The list is to be looked at no later than this.
    pub fn due_by(&mut self, place: &ListId, due: Option<u64>) {
        let before = self.list(place).and_then(|list| list.due);
        self.set_due(place, earlier(before, due));
    }

    /// Drops an empty list, and the key's waiters with the last of its lists.
    pub fn remove_if_empty(&mut self, place: &ListId) {
        if self.list(place).is_none_or(|list| list.len() > 0) {
            return;
        }
        self.set_due(place, None);
        let (db, key, awaited) = place;
        let Some(by_key) = self.by_key.get_mut(db) else { return };
        let Some(key_waiters) = by_key.get_mut(key) else { return };
        key_waiters.drop_list(*awaited);
        if key_waiters.len() == 0 {
            by_key.remove(key);
            if by_key.is_empty() {
                self.by_key.remove(db);
            }
        }
    }

    /// The waiter is handed something for this key, and waits no longer.
    pub fn hand(&mut self, waiter: Rc<Waiter>, key: &KeyName, delivery: Rc<dyn Delivery>) {
        *waiter.state.borrow_mut() = State::Handed(Handed { key: Rc::clone(key), delivery });
        self.leave(&waiter);
        self.to_wake.push_back(waiter);
    }

    /// The waiter joins the line of its shared key, unless it stands there.
    pub fn stand(&mut self, waiter: &Rc<Waiter>) {
        let Some(shared) = waiter.request.shared_key().filter(|_| waiter.standing.get() == 0) else { return };
        self.numbers += 1;
        waiter.standing.set(self.numbers);
        let key_waiters =
            self.by_key.entry(waiter.db).or_default().entry(Rc::clone(&shared.name)).or_default();
        let line = WaitFor::turn(&shared.wants);
        key_waiters.list_for_joining(line).join(self.numbers, Rc::clone(waiter));
    }

    /// The waiter leaves the line of its shared key; true if it stood there.
    pub fn step_back(&mut self, waiter: &Waiter) -> bool {
        let Some(shared) = waiter.request.shared_key() else { return false };
        if waiter.standing.replace(0) == 0 {
            return false;
        }
        let line = WaitFor::turn(&shared.wants);
        if let Some(key_waiters) = self.key_waiters(waiter.db, &shared.name) {
            key_waiters.left(line);
            self.remove_if_empty(&(waiter.db, Rc::clone(&shared.name), line));
        }
        true
    }

    /// For each line of a key the first key at which its head waits, where the key is shared.
    pub fn keys_of_standing(&mut self, db: i32, key: &[u8]) -> Vec<KeyName> {
        let Some(key_waiters) = self.key_waiters(db, key) else { return Vec::new() };
        let heads = key_waiters.turns().filter_map(|(_, list)| list.head());
        heads.filter(|head| head.standing.get() > 0).map(|head| Rc::clone(&head.keys[0])).collect()
    }

    /// The waiter, already marked, waits no longer.
    fn leave(&mut self, waiter: &Waiter) {
        self.step_back(waiter);
        self.readers = self.readers.saturating_sub(usize::from(waiter.reads()));
        self.ends.remove(&(waiter.ends, waiter.number));
        for key in &waiter.keys {
            if let Some(key_waiters) = self.key_waiters(waiter.db, key) {
                key_waiters.left(waiter.wait_for);
                self.remove_if_empty(&(waiter.db, Rc::clone(key), waiter.wait_for));
            }
        }
    }

    /// When the timer has to fire: at once, when paused a little later, or when a list is due.
    pub fn next_tick(&self, now: u64, paused: bool) -> Option<u64> {
        if !self.to_wake.is_empty() {
            return Some(now);
        }
        if !self.stale.is_empty() || !self.notified.is_empty() || !self.to_undo.is_empty() {
            return Some(if paused { now + PAUSED_RETRY_MS } else { now });
        }
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// One whose wait has ended by the clock that nobody sets.
    pub fn next_overdue(&mut self) -> Option<Rc<Waiter>> {
        let first = self.ends.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    /// Whether anything is to be looked at or undone now.
    pub fn has_work(&self, now: u64) -> bool {
        !self.stale.is_empty()
            || !self.notified.is_empty()
            || !self.to_undo.is_empty()
            || self.deadlines.first().is_some_and(|(at, _)| *at <= now)
    }

    /// The lists whose time has come are to be looked at.
    pub fn open_due_lists(&mut self, now: u64) {
        while let Some((at, place)) = self.deadlines.first().cloned() {
            if at > now {
                break;
            }
            self.set_due(&place, None);
            self.schedule_full_check(&place);
        }
    }

    /// There is nothing to look at or to put back on a server that is a replica.
    pub fn clear_for_replica(&mut self) {
        self.to_undo.clear();
        self.deadlines.clear();
        self.stale.clear();
        self.notified.clear();
        for list in self.by_key.values_mut().flat_map(HashMap::values_mut).flat_map(KeyWaiters::lists) {
            (list.due, list.stale, list.notified) = (None, false, false);
        }
    }
}

fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Clients blocked now, and keys they wait for.
pub fn counts() -> (usize, usize) {
    with(|registry| (registry.clients, registry.by_key.values().map(HashMap::len).sum()))
}

/// Whether no more may wait for these keys.
pub(crate) fn is_full(db: i32, keys: &[KeyName]) -> bool {
    with(|registry| {
        let is_full = |key| {
            registry.key_waiters(db, key).map_or(0, |key_waiters| key_waiters.len()) as i64
                >= MAX_WAITERS_PER_KEY.get()
        };
        keys.iter().map(|key| &**key).any(is_full)
            || (registry.places + keys.len()) as i64 > MAX_WAITERS.get()
    })
}

/// The number of the next waiter.
pub(crate) fn next_number() -> u64 {
    with(|registry| {
        registry.numbers += 1;
        registry.numbers
    })
}

/// The waiter joins the list of each of its keys; `untils` are when to look at them again.
pub(crate) fn join(waiter: &Rc<Waiter>, untils: &[Option<u64>]) {
    with(|registry| {
        registry.clients += 1;
        registry.places += waiter.keys.len();
        registry.readers += usize::from(waiter.reads());
        registry.ends.insert((waiter.ends, waiter.number), Rc::clone(waiter));
        for (at, key) in waiter.keys.iter().enumerate() {
            let key_waiters =
                registry.by_key.entry(waiter.db).or_default().entry(Rc::clone(key)).or_default();
            waiter.rounds[at].set(key_waiters.round);
            key_waiters.list_for_joining(waiter.wait_for).join(waiter.number, Rc::clone(waiter));
            let until = untils.get(at).copied().flatten();
            registry.due_by(&(waiter.db, Rc::clone(key), waiter.wait_for), until);
        }
    });
}

/// The server has found a key ready and calls back for this waiter, as it does once for each that
/// is blocked on the key. Whether that begins a round: the last one has reached this waiter
/// already, or it came later.
pub(crate) fn begins_round(waiter: &Waiter, at: usize) -> bool {
    with(|registry| {
        let Some(key_waiters) = registry.key_waiters(waiter.db, &waiter.keys[at]) else { return false };
        let begins = waiter.rounds[at].get() == key_waiters.round;
        key_waiters.round += u64::from(begins);
        waiter.rounds[at].set(key_waiters.round);
        begins
    })
}

/// The waiter, already marked, waits no longer, and got nothing. Those that stood behind it may
/// want less, or have to stand in its place at the shared key.
pub(crate) fn leave(waiter: &Waiter) {
    with(|registry| {
        registry.leave(waiter);
        let shared = waiter.request.shared_key();
        if let Some(shared) = shared {
            registry.schedule_turns_check(waiter.db, &shared.name);
        }
        if shared.is_some() || !waiter.request.wants().is_empty() {
            waiter.keys.iter().for_each(|key| registry.schedule_turns_check(waiter.db, key));
        }
    });
}

/// The server has forgotten the waiter. `unused` is what has to be put back.
pub(crate) fn forget(waiter: &Waiter, unused: Option<Handed>) {
    with(|registry| {
        registry.clients = registry.clients.saturating_sub(1);
        registry.places = registry.places.saturating_sub(waiter.keys.len());
        if let Some(handed) = unused {
            registry.to_undo.push_back((waiter.db, handed));
        }
    });
}
