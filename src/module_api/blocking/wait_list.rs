//! The waiters of one key that wait for the same.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::module_api::blocking::{Shared, Waiter};

/// In the order of blocking. A waiter that leaves stays in its place until it is passed over or
/// until such places are the majority, so that leaving costs nothing however long the line.
#[derive(Default)]
pub(crate) struct Line {
    places: VecDeque<Rc<Waiter>>,
    /// How many of the places still wait.
    waiting: usize,
    /// How many places, from the first on, are to be tried in this round.
    to_try: usize,
    /// What one waiter of the round leaves to the next; a round outlives the stretch in which it began.
    pub shared: Shared,
    /// The line is on the list of those to look at.
    pub stale: bool,
    /// What it waits for has changed within the unit that runs.
    pub stirred: bool,
    /// When to look at it by itself; mirrored in the clerk's calendar.
    pub due: Option<u64>,
}

impl Line {
    pub fn join(&mut self, waiter: Rc<Waiter>) {
        self.places.push_back(waiter);
        self.waiting += 1;
    }

    /// The one who has waited longest.
    pub fn head(&mut self) -> Option<Rc<Waiter>> {
        while let Some(first) = self.places.front() {
            if first.waits() {
                return Some(Rc::clone(first));
            }
            self.places.pop_front();
        }
        None
    }

    /// A round begins: all who wait now are to be tried, each by itself. One that has begun goes on
    /// from where it is, so that rounds that follow each other closely forget nobody.
    pub fn open_round(&mut self) {
        self.to_try = self.places.len();
    }

    /// The next of the round; it goes to the end of the line.
    pub fn next_of_round(&mut self) -> Option<Rc<Waiter>> {
        while self.to_try > 0 {
            self.to_try -= 1;
            let waiter = self.places.pop_front()?;
            if waiter.waits() {
                self.places.push_back(Rc::clone(&waiter));
                return Some(waiter);
            }
        }
        self.shared = None;
        None
    }

    /// One of the waiters (already marked) waits no longer.
    pub fn left(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.places.len() > 2 * self.waiting + 16 {
            self.places.retain(|waiter| waiter.waits());
            self.to_try = self.to_try.min(self.places.len());
        }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module_api::blocking::tests::{leaves, number, waiter};

    fn line_of(count: u64) -> (Line, Vec<Rc<Waiter>>) {
        let mut line = Line::default();
        let waiters: Vec<_> = (0..count).map(waiter).collect();
        waiters.iter().cloned().for_each(|waiter| line.join(waiter));
        (line, waiters)
    }

    fn round(line: &mut Line) -> Vec<u64> {
        std::iter::from_fn(|| line.next_of_round()).map(|waiter| number(&waiter)).collect()
    }

    #[test]
    fn a_round_tries_everyone_once_and_only_when_it_was_opened() {
        let (mut line, _) = line_of(3);
        assert!(round(&mut line).is_empty());
        line.open_round();
        line.join(waiter(3));
        assert_eq!(round(&mut line), [0, 1, 2], "who came after the beginning has just tried");
        assert!(round(&mut line).is_empty());
        line.open_round();
        assert_eq!(round(&mut line).len(), 4);
    }

    #[test]
    fn rounds_that_are_cut_short_reach_everyone_in_turn() {
        let (mut line, _) = line_of(5);
        let mut tried = Vec::new();
        for _ in 0..5 {
            line.open_round();
            tried.extend((0..2).filter_map(|_| line.next_of_round()).map(|waiter| number(&waiter)));
        }
        assert_eq!(tried, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn those_who_left_are_passed_over_and_their_places_do_not_pile_up() {
        let (mut line, waiters) = line_of(100);
        line.open_round();
        for waiter in &waiters[..99] {
            leaves(waiter);
            line.left();
        }
        assert_eq!(line.len(), 1);
        assert!(line.places.len() <= 18, "{}", line.places.len());
        assert!(round(&mut line).iter().all(|&number| number == 99));
        assert_eq!(line.head().map(|waiter| number(&waiter)), Some(99));
    }
}
