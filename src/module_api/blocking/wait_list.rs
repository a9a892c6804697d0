//! The waiters of one key that wait for the same.

use std::collections::VecDeque;
use std::rc::Rc;

use super::waiter::{Shared, Waiter};

/// A waiter, and its number in the list.
type Place = (u64, Rc<Waiter>);

/// In the order of blocking. A waiter that leaves stays in its place until it is passed over or
/// until such waiters are the majority, so that leaving costs nothing however long the list.
#[derive(Default)]
pub(crate) struct WaitList {
    waiters: VecDeque<Place>,
    /// How many of the waiters still wait.
    waiting: usize,
    /// How many waiters, from the first on, are to be tried in this round.
    to_try: usize,
    /// What one waiter of the round leaves to the next; a round outlives the budget in which it
    /// began.
    pub shared: Shared,
    /// Whether the list is in the registry's `stale` queue.
    pub stale: bool,
    /// Its subject has changed within the current command or transaction.
    pub notified: bool,
    /// When to look at it by itself; mirrored in the registry's deadlines.
    pub due: Option<u64>,
}

impl WaitList {
    /// `number` is the waiter's own, or its [standing](Waiter::standing).
    pub fn join(&mut self, number: u64, waiter: Rc<Waiter>) {
        self.waiters.push_back((number, waiter));
        self.waiting += 1;
    }

    /// The waiter that has waited longest.
    pub fn head(&mut self) -> Option<Rc<Waiter>> {
        self.head_number()?;
        self.waiters.front().map(|(_, first)| Rc::clone(first))
    }

    /// The number of the waiter that has waited longest.
    pub fn head_number(&mut self) -> Option<u64> {
        while let Some((number, first)) = self.waiters.front() {
            if first.has_place(*number) {
                return Some(*number);
            }
            self.waiters.pop_front();
        }
        None
    }

    /// A round begins: all present waiters are to be tried, each by itself. One that has begun goes
    /// on from where it is, so that rounds that follow each other closely forget no waiter.
    pub fn start_round(&mut self) {
        self.to_try = self.waiters.len();
    }

    /// The next of the round; it goes to the end of the list.
    pub fn next_of_round(&mut self) -> Option<Rc<Waiter>> {
        while self.to_try > 0 {
            self.to_try -= 1;
            let (number, waiter) = self.waiters.pop_front()?;
            if waiter.has_place(number) {
                self.waiters.push_back((number, Rc::clone(&waiter)));
                return Some(waiter);
            }
        }
        self.shared = None;
        None
    }

    /// One of the waiters (already marked) waits no longer.
    pub fn left(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.waiters.len() > 2 * self.waiting + 16 {
            self.waiters.retain(|(number, waiter)| waiter.has_place(*number));
            self.to_try = self.to_try.min(self.waiters.len());
        }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module_api::blocking::waiter::tests::{leaves, number, waiter};

    fn list_of(count: u64) -> (WaitList, Vec<Rc<Waiter>>) {
        let mut list = WaitList::default();
        let waiters: Vec<_> = (0..count).map(waiter).collect();
        waiters.iter().cloned().for_each(|waiter| list.join(waiter.number, waiter));
        (list, waiters)
    }

    fn round(list: &mut WaitList) -> Vec<u64> {
        std::iter::from_fn(|| list.next_of_round()).map(|waiter| number(&waiter)).collect()
    }

    #[test]
    fn a_round_tries_everyone_once_and_only_when_it_was_opened() {
        let (mut list, _) = list_of(3);
        assert!(round(&mut list).is_empty());
        list.start_round();
        list.join(3, waiter(3));
        assert_eq!(round(&mut list), [0, 1, 2], "who came after the beginning has just tried");
        assert!(round(&mut list).is_empty());
        list.start_round();
        assert_eq!(round(&mut list).len(), 4);
    }

    #[test]
    fn rounds_that_are_cut_short_reach_everyone_in_turn() {
        let (mut list, _) = list_of(5);
        let mut tried = Vec::new();
        for _ in 0..5 {
            list.start_round();
            tried.extend((0..2).filter_map(|_| list.next_of_round()).map(|waiter| number(&waiter)));
        }
        assert_eq!(tried, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn those_who_left_are_passed_over_and_their_places_do_not_pile_up() {
        let (mut list, waiters) = list_of(100);
        list.start_round();
        for waiter in &waiters[..99] {
            leaves(waiter);
            list.left();
        }
        assert_eq!(list.len(), 1);
        assert!(list.waiters.len() <= 18, "{}", list.waiters.len());
        assert!(round(&mut list).iter().all(|&number| number == 99));
        assert_eq!(list.head().map(|waiter| number(&waiter)), Some(99));
    }
}
