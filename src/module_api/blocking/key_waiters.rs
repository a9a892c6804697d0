//! The waiters of one key.

use std::collections::HashMap;

use super::wait_list::Line;
use crate::module_api::blocking::Awaited;

/// The lines of one key: the one for its turn, and one for each subject that somebody waits for. A
/// change of one subject costs nothing for those who wait for the others.
#[derive(Default)]
pub(crate) struct Desk {
    turn: Line,
    news: HashMap<u64, Line>,
    /// Of all lines.
    waiting: usize,
}

impl Desk {
    pub fn line(&mut self, awaited: Awaited) -> Option<&mut Line> {
        match awaited {
            Awaited::ItsTurn => Some(&mut self.turn),
            Awaited::NewsOf(subject) => self.news.get_mut(&subject),
        }
    }

    pub fn line_for_joining(&mut self, awaited: Awaited) -> &mut Line {
        self.waiting += 1;
        match awaited {
            Awaited::ItsTurn => &mut self.turn,
            Awaited::NewsOf(subject) => self.news.entry(subject).or_default(),
        }
    }

    /// One of a line's waiters (already marked) waits no longer.
    pub fn left(&mut self, awaited: Awaited) {
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(line) = self.line(awaited) {
            line.left();
        }
    }

    /// Drops a line for news in which nobody waits; the other one stays with the desk.
    pub fn drop_line(&mut self, awaited: Awaited) {
        if let Awaited::NewsOf(subject) = awaited {
            self.news.remove(&subject);
        }
    }

    pub fn len(&self) -> usize {
        self.waiting
    }

    /// The lines in which somebody waits.
    pub fn awaited(&self) -> impl Iterator<Item = Awaited> {
        let turn = (self.turn.len() > 0).then_some(Awaited::ItsTurn);
        turn.into_iter().chain(self.news.keys().map(|subject| Awaited::NewsOf(*subject)))
    }

    pub fn lines(&mut self) -> impl Iterator<Item = &mut Line> {
        std::iter::once(&mut self.turn).chain(self.news.values_mut())
    }
}
