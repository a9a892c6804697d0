//! The waiters of one key.

use std::collections::{BTreeMap, HashMap};

use super::wait_list::WaitList;
use super::waiter::WaitFor;

/// The lists of one key: one list in order ([`WaitFor::Turn`]), one for each other line in order
/// ([`WaitFor::TurnOf`]), and one list for each awaited subject. A
/// change of one subject costs nothing for the waiters of the others.
#[derive(Default)]
pub(crate) struct KeyWaiters {
    turn: WaitList,
    lines: BTreeMap<u64, WaitList>,
    subjects: HashMap<u64, WaitList>,
    /// Of all lists.
    waiting: usize,
    /// How often the server has found the key ready and called back for the clients blocked on it.
    pub round: u64,
}

impl KeyWaiters {
    pub fn list(&mut self, awaited: WaitFor) -> Option<&mut WaitList> {
        match awaited {
            WaitFor::Turn => Some(&mut self.turn),
            WaitFor::TurnOf(line) => self.lines.get_mut(&line),
            WaitFor::Subject(subject) => self.subjects.get_mut(&subject),
        }
    }

    pub fn list_for_joining(&mut self, awaited: WaitFor) -> &mut WaitList {
        self.waiting += 1;
        match awaited {
            WaitFor::Turn => &mut self.turn,
            WaitFor::TurnOf(line) => self.lines.entry(line).or_default(),
            WaitFor::Subject(subject) => self.subjects.entry(subject).or_default(),
        }
    }

    /// One of a list's waiters (already marked) waits no longer.
    pub fn left(&mut self, awaited: WaitFor) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(list) = self.list(awaited) {
            list.left();
        }
    }

    /// Drops an empty list. The turn list is never dropped by itself.
    pub fn drop_list(&mut self, awaited: WaitFor) {
        match awaited {
            WaitFor::Turn => {}
            WaitFor::TurnOf(line) => _ = self.lines.remove(&line),
            WaitFor::Subject(subject) => _ = self.subjects.remove(&subject),
        }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }

    /// All lists.
    pub fn awaited(&self) -> impl Iterator<Item = WaitFor> {
        let turn = (self.turn.len() > 0).then_some(WaitFor::Turn);
        let lines = self.lines.keys().map(|line| WaitFor::TurnOf(*line));
        turn.into_iter().chain(lines).chain(self.subjects.keys().map(|subject| WaitFor::Subject(*subject)))
    }

    /// The lists in order.
    pub fn turns(&mut self) -> impl Iterator<Item = (WaitFor, &mut WaitList)> {
        let lines = self.lines.iter_mut().map(|(line, list)| (WaitFor::TurnOf(*line), list));
        std::iter::once((WaitFor::Turn, &mut self.turn)).chain(lines)
    }

    pub fn lists(&mut self) -> impl Iterator<Item = &mut WaitList> {
        std::iter::once(&mut self.turn).chain(self.lines.values_mut()).chain(self.subjects.values_mut())
    }
}
