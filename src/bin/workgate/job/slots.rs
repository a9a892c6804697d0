//! Free slots for jobs, shared out among the sources in turn.
//!
//! A POP that waits may come back with as many jobs as it asked for, so it holds that many slots
//! while it waits; the worker never holds more jobs than it has slots. With as many slots as
//! sources all of them are waited at. With fewer, those that have none are looked at in turn: at
//! once while another source is known to have jobs, else each for a moment ([`Wait::Moment`]).

use std::collections::VecDeque;

/// The most that POP's COUNT may be.
pub const MOST_OF_ONE_POP: usize = 1_000;

/// How a POP waits when there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    No,
    /// Others have no slot to wait with.
    Moment,
    Long,
}

/// One POP at one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub source: usize,
    /// The slots that it holds.
    pub count: usize,
    pub wait: Wait,
}

/// A source that no request is waiting at.
#[derive(Debug, Clone, Copy)]
struct Idle {
    source: usize,
    /// Its last POP brought as many jobs as it could: there may be more.
    more: bool,
}

/// The slots and the sources.
#[derive(Debug)]
pub struct SlotAllocator {
    free: usize,
    /// How many jobs one handler is given together: slots are handed out in such portions.
    batch: usize,
    /// The one that has waited longest first.
    idle: VecDeque<Idle>,
    /// How many POPs wait at their source.
    waiting: usize,
}

impl SlotAllocator {
    /// No source has come yet.
    pub fn with_slots(free: usize, batch: usize) -> Self {
        SlotAllocator { free, batch, idle: VecDeque::new(), waiting: 0 }
    }

    /// A source that can be asked: its connection is open.
    pub fn came(&mut self, source: usize) {
        self.idle.push_back(Idle { source, more: false });
    }

    /// Handlers have ended.
    pub fn freed(&mut self, slots: usize) {
        self.free += slots;
    }

    /// Whether a POP could be sent if there were a slot.
    pub fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// The next POP to send; with `at_once` it does not wait for jobs.
    pub fn next(&mut self, at_once: bool) -> Option<Turn> {
        if self.free == 0 {
            return None;
        }
        let Idle { source, .. } = self.idle.pop_front()?;
        let portions = (self.free / self.batch).div_ceil(self.idle.len() + 1);
        let count = (portions * self.batch).min(MOST_OF_ONE_POP / self.batch * self.batch);
        self.free -= count;
        let wait = if at_once || self.idle.iter().any(|idle| idle.more) {
            Wait::No
        } else if self.idle.len() > self.free {
            Wait::Moment
        } else {
            Wait::Long
        };
        self.waiting += usize::from(wait != Wait::No);
        Some(Turn { source, count, wait })
    }

    /// A POP has ended; the jobs that it brought keep their slots.
    pub fn back(&mut self, turn: Turn, jobs: usize, slots: usize) {
        self.over(turn, slots);
        self.idle.push_back(Idle { source: turn.source, more: jobs >= turn.count });
    }

    /// A POP is over because its connection broke; the source comes again when there is a new one.
    pub fn lost(&mut self, turn: Turn) {
        self.over(turn, 0);
    }

    fn over(&mut self, turn: Turn, slots: usize) {
        self.free += turn.count.saturating_sub(slots);
        self.waiting -= usize::from(turn.wait != Wait::No);
    }

    /// Whether slots that wait at other sources are wanted where there are jobs.
    pub fn wants_slots(&self) -> bool {
        self.free == 0 && self.waiting > 0 && self.idle.iter().any(|idle| idle.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(slots: usize, sources: usize) -> SlotAllocator {
        let mut slots = SlotAllocator::with_slots(slots, 1);
        (0..sources).for_each(|source| slots.came(source));
        slots
    }

    fn all(slots: &mut SlotAllocator) -> Vec<(usize, usize, Wait)> {
        std::iter::from_fn(|| slots.next(false)).map(|turn| (turn.source, turn.count, turn.wait)).collect()
    }

    #[test]
    fn one_source_gets_all_free_slots_and_is_waited_at() {
        let mut slots = slots(4, 1);
        let turn = slots.next(false).unwrap();
        assert_eq!(turn, Turn { source: 0, count: 4, wait: Wait::Long });
        slots.back(turn, 3, 3);
        assert_eq!(all(&mut slots), [(0, 1, Wait::Long)]);
        slots.freed(1);
        assert_eq!(slots.next(false), None, "it is asked already");
    }

    #[test]
    fn with_slots_for_all_every_source_is_waited_at_with_its_share() {
        let shares = [(0, 3, Wait::Long), (1, 2, Wait::Long), (2, 2, Wait::Long)];
        assert_eq!(all(&mut slots(7, 3)), shares);
    }

    #[test]
    fn with_too_few_slots_sources_are_waited_at_in_turn() {
        let mut slots = slots(1, 3);
        for source in [0, 1, 2, 0, 1] {
            let turn = slots.next(false).unwrap();
            assert_eq!(turn, Turn { source, count: 1, wait: Wait::Moment });
            assert_eq!(slots.next(false), None);
            slots.back(turn, 0, 0);
        }
    }

    #[test]
    fn while_a_source_has_jobs_no_slot_is_held_where_there_are_none() {
        let mut slots = slots(1, 3);
        let turn = slots.next(false).unwrap();
        slots.back(turn, 1, 1);
        slots.freed(1);
        let mut looks = Vec::new();
        while let Some(turn) = slots.next(false) {
            looks.push((turn.source, turn.wait));
            if turn.source == 0 {
                break;
            }
            slots.back(turn, 0, 0);
        }
        assert_eq!(looks, [(1, Wait::No), (2, Wait::No), (0, Wait::Moment)]);
    }

    #[test]
    fn sources_that_all_have_jobs_take_turns() {
        let mut slots = slots(2, 2);
        let mut taken = [0; 2];
        for _ in 0..100 {
            while let Some(turn) = slots.next(false) {
                taken[turn.source] += turn.count;
                slots.back(turn, turn.count, turn.count);
            }
            slots.freed(1);
        }
        assert!(taken[0].abs_diff(taken[1]) <= 1, "{taken:?}");
    }

    #[test]
    fn slots_that_wait_elsewhere_are_called_back_to_where_jobs_are() {
        let mut slots = slots(2, 2);
        let (first, second) = (slots.next(false).unwrap(), slots.next(false).unwrap());
        assert!(!slots.wants_slots());
        slots.back(first, 1, 1);
        assert!(slots.wants_slots());
        slots.back(second, 0, 0);
        assert!(!slots.wants_slots());
        assert_eq!(slots.next(false).unwrap().source, 0);
    }

    #[test]
    fn a_lost_connection_gives_its_slots_back() {
        let mut slots = slots(3, 2);
        let turn = slots.next(false).unwrap();
        slots.lost(turn);
        assert_eq!(all(&mut slots), [(1, 3, Wait::Long)]);
        slots.came(0);
        assert_eq!(slots.next(false), None);
    }

    #[test]
    fn batches_are_asked_for_whole() {
        let mut slots = SlotAllocator::with_slots(3 * 400, 400);
        slots.came(0);
        let turn = slots.next(true).unwrap();
        assert_eq!((turn.count, turn.wait), (800, Wait::No), "at most 1,000 of one POP");
        slots.back(turn, 5, 400);
        assert_eq!(slots.next(false).unwrap().count, 800);
    }
}
