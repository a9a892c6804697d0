//! The waiters of one key.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Waiter;

/// In the order of blocking. A waiter that leaves stays in its place until it is passed over or
/// until such places are the majority, so that leaving costs nothing however long the line.
#[derive(Default)]
pub(super) struct Line {
    places: VecDeque<Rc<Waiter>>,
    /// How many of the places still wait.
    waiting: usize,
    /// The line is on the list of those to look at.
    pub stale: bool,
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

    /// One of the waiters (already marked) waits no longer.
    pub fn left(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
        if self.places.len() > 2 * self.waiting + 16 {
            self.places.retain(|waiter| waiter.waits());
        }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }
}
