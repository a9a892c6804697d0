//! The registry of all lines: who waits where, and when to look at which line.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use super::key_waiters::Desk;
use super::wait_list::Line;
use crate::module_api::blocking::{
    Awaited, Delivery, Handed, KeyName, MAX_IN_ALL, MAX_PER_KEY, State, Waiter,
};
use crate::module_api::main_thread::MainThread;
use crate::module_api::timer::Timer;

/// When to try again while the server is paused.
const PAUSED_RETRY_MS: u64 = 20;

/// One line: whose key it is, and what is awaited in it.
pub(crate) type Place = (i32, KeyName, Awaited);

#[derive(Default)]
pub(crate) struct Clerk {
    pub desks: HashMap<i32, HashMap<KeyName, Desk>>,
    /// Blocked clients, those handed something but not yet freed included.
    clients: usize,
    /// As `clients`, each counted for every key that it waits for.
    places: usize,
    /// How many wait for news: most servers have none, and pay nothing for what changes.
    pub readers: usize,
    /// Handed something, to be woken.
    pub to_wake: VecDeque<Rc<Waiter>>,
    /// Handed to clients that have gone.
    pub to_put_back: VecDeque<(i32, Handed)>,
    /// Lines whose subject has changed within the unit that runs.
    pub stirred: VecDeque<Place>,
    /// Lines that the timer has to look at.
    pub stale: VecDeque<Place>,
    /// When to look at which line.
    pub calendar: BTreeSet<(u64, Place)>,
    /// The running timer and when it fires.
    pub timer: Option<(u64, Timer)>,
}

static CLERK: MainThread<Option<Clerk>> = MainThread::new(None);

pub(crate) fn with<R>(body: impl FnOnce(&mut Clerk) -> R) -> R {
    CLERK.with(|clerk| body(clerk.get_or_insert_default()))
}

impl Clerk {
    pub fn desk(&mut self, db: i32, key: &[u8]) -> Option<&mut Desk> {
        self.desks.get_mut(&db)?.get_mut(key)
    }

    pub fn line(&mut self, (db, key, awaited): &Place) -> Option<&mut Line> {
        self.desk(*db, key)?.line(*awaited)
    }

    /// The timer is to look at the line, or to go on with it.
    pub fn look_at(&mut self, place: &Place) {
        if let Some(line) = self.line(place)
            && line.len() > 0
            && !std::mem::replace(&mut line.stale, true)
        {
            self.stale.push_back(place.clone());
        }
    }

    /// The timer is to try all who wait in the line.
    pub fn look_anew(&mut self, place: &Place) {
        if let Some(line) = self.line(place) {
            line.open_round();
        }
        self.look_at(place);
    }

    /// As [`Clerk::look_anew`], for every line of a key.
    pub fn look_at_key(&mut self, db: i32, key: &[u8]) {
        let Some((key, desk)) = self.desks.get(&db).and_then(|desks| desks.get_key_value(key)) else {
            return;
        };
        let places: Vec<Place> = desk.awaited().map(|awaited| (db, Rc::clone(key), awaited)).collect();
        places.iter().for_each(|place| self.look_anew(place));
    }

    /// What is awaited in the line has changed: all of it are tried before the unit that runs ends.
    pub fn stir(&mut self, place: Place) {
        if let Some(line) = self.line(&place) {
            line.open_round();
            if !std::mem::replace(&mut line.stirred, true) {
                self.stirred.push_back(place);
            }
        }
    }

    pub fn set_due(&mut self, place: &Place, due: Option<u64>) {
        let Some(line) = self.line(place) else { return };
        let before = std::mem::replace(&mut line.due, due);
        if before == due {
            return;
        }
        if let Some(at) = before {
            self.calendar.remove(&(at, place.clone()));
        }
        if let Some(at) = due {
            self.calendar.insert((at, place.clone()));
        }
    }

    /// The line is to be looked at no later than this.
    pub fn due_by(&mut self, place: &Place, due: Option<u64>) {
        let before = self.line(place).and_then(|line| line.due);
        self.set_due(place, earlier(before, due));
    }

    /// Drops a line in which nobody waits, and the desk with the last of them.
    pub fn tidy(&mut self, place: &Place) {
        if self.line(place).is_none_or(|line| line.len() > 0) {
            return;
        }
        self.set_due(place, None);
        let (db, key, awaited) = place;
        let Some(desks) = self.desks.get_mut(db) else { return };
        let Some(desk) = desks.get_mut(key) else { return };
        desk.drop_line(*awaited);
        if desk.len() == 0 {
            desks.remove(key);
            if desks.is_empty() {
                self.desks.remove(db);
            }
        }
    }

    /// The waiter is handed something for this key, and waits no longer.
    pub fn hand(&mut self, waiter: Rc<Waiter>, key: &KeyName, delivery: Rc<dyn Delivery>) {
        *waiter.state.borrow_mut() = State::Handed(Handed { key: Rc::clone(key), delivery });
        self.leave(&waiter);
        self.to_wake.push_back(waiter);
    }

    /// The waiter, already marked, waits no longer.
    fn leave(&mut self, waiter: &Waiter) {
        self.readers = self.readers.saturating_sub(usize::from(waiter.reads()));
        for key in &waiter.keys {
            if let Some(desk) = self.desk(waiter.db, key) {
                desk.left(waiter.awaits);
                self.tidy(&(waiter.db, Rc::clone(key), waiter.awaits));
            }
        }
    }

    /// When the timer has to fire: at once, when paused a little later, or when a line is due.
    pub fn next_tick(&self, now: u64, paused: bool) -> Option<u64> {
        if !self.to_wake.is_empty() {
            return Some(now);
        }
        if !self.stale.is_empty() || !self.stirred.is_empty() || !self.to_put_back.is_empty() {
            return Some(if paused { now + PAUSED_RETRY_MS } else { now });
        }
        self.calendar.first().map(|(at, _)| *at)
    }

    /// The lines whose time has come are to be looked at.
    pub fn open_due_lines(&mut self, now: u64) {
        while let Some((at, place)) = self.calendar.first().cloned() {
            if at > now {
                break;
            }
            self.set_due(&place, None);
            self.look_anew(&place);
        }
    }

    /// There is nothing to look at or to put back on a server that is a replica.
    pub fn stand_down(&mut self) {
        self.to_put_back.clear();
        self.calendar.clear();
        self.stale.clear();
        self.stirred.clear();
        for line in self.desks.values_mut().flat_map(HashMap::values_mut).flat_map(Desk::lines) {
            (line.due, line.stale, line.stirred) = (None, false, false);
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
    with(|clerk| (clerk.clients, clerk.desks.values().map(HashMap::len).sum()))
}

/// Whether no more may wait for these keys.
pub(crate) fn is_full(db: i32, keys: &[KeyName]) -> bool {
    with(|clerk| {
        let is_full = |key| clerk.desk(db, key).map_or(0, |desk| desk.len()) as i64 >= MAX_PER_KEY.get();
        keys.iter().map(|key| &**key).any(is_full) || (clerk.places + keys.len()) as i64 > MAX_IN_ALL.get()
    })
}

/// The waiter joins the line of each of its keys; `untils` are when to look at them again.
pub(crate) fn join(waiter: &Rc<Waiter>, untils: &[Option<u64>]) {
    with(|clerk| {
        clerk.clients += 1;
        clerk.places += waiter.keys.len();
        clerk.readers += usize::from(waiter.reads());
        for (at, key) in waiter.keys.iter().enumerate() {
            let desk = clerk.desks.entry(waiter.db).or_default().entry(Rc::clone(key)).or_default();
            desk.line_for_joining(waiter.awaits).join(Rc::clone(waiter));
            let until = untils.get(at).copied().flatten();
            clerk.due_by(&(waiter.db, Rc::clone(key), waiter.awaits), until);
        }
    });
}

/// The waiter, already marked, waits no longer.
pub(crate) fn leave(waiter: &Waiter) {
    with(|clerk| clerk.leave(waiter));
}

/// The server has forgotten the waiter. `unused` is what has to be put back.
pub(crate) fn forget(waiter: &Waiter, unused: Option<Handed>) {
    with(|clerk| {
        clerk.clients = clerk.clients.saturating_sub(1);
        clerk.places = clerk.places.saturating_sub(waiter.keys.len());
        if let Some(handed) = unused {
            clerk.to_put_back.push_back((waiter.db, handed));
        }
    });
}
