//! Which jobs a POP hands out, one after the other, found without changing the line.

use crate::domain::jobq::ready::group_ring::{Seat, Seats, Turn};
use crate::domain::jobq::ready::priority_lanes;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::ready::ready_line::{Group, Line};
use crate::domain::jobq::state::serial::Serial;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::iter::Peekable;

type Jobs<'q> = Peekable<priority_lanes::Iter<'q>>;

/// A group that was served in this POP, as it stands by now.
struct Served<'q> {
    fresh: Jobs<'q>,
    begun: Jobs<'q>,
    held: u32,
    active: u32,
}

/// Where the next job of a seat is found. Equal seats are those of one group, whichever of them is met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source<'q> {
    /// A group that was not served yet, at the head of this row.
    Waiting {
        row: usize,
        group: &'q [u8],
    },
    Served(usize),
}

/// The jobs of a line in the order in which POP hands them out, as many as the groups' limit allows.
pub(crate) struct Turns<'q> {
    line: &'q Line,
    limit: u32,
    alone: Jobs<'q>,
    alone_turn: Turn,
    last_turn: Turn,
    /// Groups that were not served yet: first those with a begun job, a row for each number of places taken.
    rows: Vec<Seats<'q>>,
    seats: BinaryHeap<Reverse<(Seat, Source<'q>)>>,
    served: Vec<Served<'q>>,
    /// The turns of groups that were served; no two groups have the same.
    known: HashSet<Turn>,
}

impl<'q> Turns<'q> {
    /// `limit` is how many jobs of one group may be under way.
    pub fn of(line: &'q Line, limit: Option<u32>) -> Self {
        let limit = limit.unwrap_or(u32::MAX);
        let rows: Vec<_> = line.begun.below(limit).chain(line.fresh.below(limit)).collect();
        let count = rows.len();
        let mut turns = Turns {
            line,
            limit,
            alone: line.alone.iter().peekable(),
            alone_turn: line.alone_turn,
            last_turn: line.last_turn,
            rows,
            seats: BinaryHeap::new(),
            served: Vec::new(),
            known: HashSet::new(),
        };
        (0..count).for_each(|row| turns.seat_next(row));
        turns
    }

    /// Seats the next group of a row.
    fn seat_next(&mut self, row: usize) {
        if let Some((seat, group)) = self.rows[row].next() {
            self.seats.push(Reverse((*seat, Source::Waiting { row, group })));
        }
    }

    fn turn(&mut self) -> Turn {
        self.last_turn += 1;
        self.last_turn
    }

    /// One of those without a group.
    fn serve_alone(&mut self) -> Option<Serial> {
        let (_, serial) = self.alone.next()?;
        self.alone_turn = self.turn();
        Some(serial)
    }

    /// The next job of a group that has a seat.
    fn serve(&mut self, at: usize) -> Option<Serial> {
        let turn = self.turn();
        let group = &mut self.served[at];
        let (_, serial) = group.take(self.limit)?;
        if let Some(rank) = group.rank(self.limit) {
            self.seats.push(Reverse(((rank, turn), Source::Served(at))));
        }
        Some(serial)
    }

    /// The group at the head of a row, unless it has been served since it sat there.
    fn meet(&mut self, row: usize, name: &'q [u8]) -> Option<usize> {
        self.seat_next(row);
        let group = self.line.group(name)?;
        if !self.known.insert(group.turn) {
            return None;
        }
        self.served.push(Served::of(group));
        Some(self.served.len() - 1)
    }
}

impl Iterator for Turns<'_> {
    type Item = Serial;

    fn next(&mut self) -> Option<Serial> {
        loop {
            let alone = self.alone.peek().map(|(rank, _)| (*rank, self.alone_turn));
            let Some(Reverse((seat, source))) = self.seats.peek().copied() else {
                return self.serve_alone();
            };
            if alone.is_some_and(|alone| alone < seat) {
                return self.serve_alone();
            }
            self.seats.pop();
            let at = match source {
                Source::Served(at) => Some(at),
                Source::Waiting { row, group } => self.meet(row, group),
            };
            if let Some(serial) = at.and_then(|at| self.serve(at)) {
                return Some(serial);
            }
        }
    }
}

impl<'q> Served<'q> {
    fn of(group: &'q Group) -> Self {
        Served {
            fresh: group.fresh.iter().peekable(),
            begun: group.begun.iter().peekable(),
            held: group.held(),
            active: group.active,
        }
    }

    /// The ranks of the next begun and the next fresh job that may go.
    fn ranks(&mut self, limit: u32) -> (Option<Rank>, Option<Rank>) {
        let begun = self.begun.peek().filter(|_| self.active < limit).map(|(rank, _)| *rank);
        let fresh = self.fresh.peek().filter(|_| self.held < limit).map(|(rank, _)| *rank);
        (begun, fresh)
    }

    fn rank(&mut self, limit: u32) -> Option<Rank> {
        let (begun, fresh) = self.ranks(limit);
        [begun, fresh].into_iter().flatten().min()
    }

    fn take(&mut self, limit: u32) -> Option<(Rank, Serial)> {
        let (begun, fresh) = self.ranks(limit);
        let begun_first = match (begun, fresh) {
            (Some(begun), Some(fresh)) => begun <= fresh,
            (begun, _) => begun.is_some(),
        };
        let taken = if begun_first {
            self.begun.next()
        } else {
            fresh?;
            self.held += 1;
            self.fresh.next()
        };
        self.active += u32::from(taken.is_some());
        taken
    }
}
