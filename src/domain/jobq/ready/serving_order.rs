//! Decides which group's job a POP takes next, and so the order in which a POP hands out jobs. It
//! reads the ready queue and does not change it.

use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::ready::group_index::{GroupPosition, GroupPositions, TurnNumber};
use crate::domain::jobq::ready::priority_lanes;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::ready::ready_queue::{Group, ReadyQueue};
use crate::domain::jobq::state::serial::Serial;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::iter::Peekable;

type LaneJobs<'q> = Peekable<priority_lanes::Iter<'q>>;

/// A group that this POP has served, with its slots as they are by now.
pub(super) struct ServedGroup<'q> {
    name: &'q [u8],
    pub(super) group: &'q Group,
    /// The batches of which this POP has taken a job: each has one run at a time.
    taken_batches: Vec<BatchId>,
    unstarted: LaneJobs<'q>,
    started: LaneJobs<'q>,
    held: u32,
    active: u32,
    /// How many slots the group has.
    limit: u32,
    /// How many of its jobs its rate admits.
    starts_left: u64,
}

/// Where the job at a position comes from. Two equal positions belong to the same group, so their
/// order does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum GroupSource<'q> {
    /// A group that was not served yet, at the head of this row.
    Waiting {
        group_position: usize,
        group: &'q [u8],
    },
    ServedGroup(usize),
}

/// How many jobs of a group its rate admits; `None` is as many as there are.
pub(crate) type StartsLeft<'q> = Option<Box<dyn Fn(&[u8]) -> u64 + 'q>>;

/// The jobs of a line in the order in which POP hands them out, as many as the groups' limit
/// allows.
pub(crate) struct ServingOrder<'q> {
    starts_left: StartsLeft<'q>,
    pub(super) ready: &'q ReadyQueue,
    limit: u32,
    ungrouped: LaneJobs<'q>,
    ungrouped_turn: TurnNumber,
    last_turn: TurnNumber,
    /// Groups not served yet, one iterator for each number of held slots. Groups with started jobs
    /// come first.
    unserved_groups: Vec<GroupPositions<'q>>,
    positions: BinaryHeap<Reverse<(GroupPosition, GroupSource<'q>)>>,
    served: Vec<ServedGroup<'q>>,
    /// The turns of groups that were served; no two groups have the same.
    served_turns: HashSet<TurnNumber>,
}

impl<'q> ServingOrder<'q> {
    /// `limit` is how many jobs of one group may be under way.
    pub fn of(ready: &'q ReadyQueue, limit: Option<u32>, starts_left: StartsLeft<'q>) -> Self {
        let limit = limit.unwrap_or(u32::MAX);
        let unserved_groups: Vec<_> =
            ready.started.below(limit).chain(ready.unstarted.below(limit)).collect();
        let count = unserved_groups.len();
        let mut turns = ServingOrder {
            starts_left,
            ready,
            limit,
            ungrouped: ready.ungrouped.iter().peekable(),
            ungrouped_turn: ready.ungrouped_turn,
            last_turn: ready.last_turn,
            unserved_groups,
            positions: BinaryHeap::new(),
            served: Vec::new(),
            served_turns: HashSet::new(),
        };
        (0..count).for_each(|group_position| turns.position_next(group_position));
        turns
    }

    /// Seats the next group of a row.
    fn position_next(&mut self, group_position: usize) {
        if let Some((position, group)) = self.unserved_groups[group_position].next() {
            self.positions.push(Reverse((*position, GroupSource::Waiting { group_position, group })));
        }
    }

    fn turn(&mut self) -> TurnNumber {
        self.last_turn += 1;
        self.last_turn
    }

    /// One of those without a group.
    fn serve_ungrouped(&mut self) -> Option<Serial> {
        let (_, serial) = self.ungrouped.next()?;
        self.ungrouped_turn = self.turn();
        Some(serial)
    }

    /// The next job of a group that has a seat.
    fn serve(&mut self, at: usize) -> Option<Serial> {
        let turn = self.turn();
        let group = &mut self.served[at];
        let (_, serial) = group.take()?;
        if let Some(rank) = group.rank() {
            self.positions.push(Reverse(((rank, turn), GroupSource::ServedGroup(at))));
        }
        Some(serial)
    }

    /// The group whose turn it is, each once; `Some(None)` is the jobs without a group, which come
    /// only `with_ungrouped`.
    pub(super) fn next_group(&mut self, with_ungrouped: bool) -> Option<Option<&mut ServedGroup<'q>>> {
        loop {
            let ungrouped = self.ungrouped_position().filter(|_| with_ungrouped);
            let Some(Reverse((position, source))) = self.positions.peek().copied() else {
                return ungrouped.map(|_| None);
            };
            if ungrouped.is_some_and(|ungrouped| ungrouped < position) {
                return Some(None);
            }
            self.positions.pop();
            if let GroupSource::Waiting { group_position, group } = source
                && let Some(at) = self.next_unserved(group_position, group)
            {
                return Some(self.served.get_mut(at));
            }
        }
    }

    /// The group at the head of a row, unless it has been served since it sat there.
    fn next_unserved(&mut self, group_position: usize, name: &'q [u8]) -> Option<usize> {
        self.position_next(group_position);
        let group = self.ready.group(name)?;
        if !self.served_turns.insert(group.turn) {
            return None;
        }
        self.served.push(self.serving(name, group));
        Some(self.served.len() - 1)
    }

    fn serving(&self, name: &'q [u8], group: &'q Group) -> ServedGroup<'q> {
        let starts_left = self.starts_left.as_ref().map_or(u64::MAX, |starts_left| starts_left(name));
        ServedGroup {
            name,
            group,
            taken_batches: Vec::new(),
            unstarted: group.unstarted.iter().peekable(),
            started: group.startable.iter().peekable(),
            held: group.held(),
            active: group.active(),
            limit: group.rule.width.unwrap_or(self.limit),
            starts_left,
        }
    }

    /// A group as if its turn had come.
    pub(super) fn group_now(&self, name: &'q [u8]) -> Option<ServedGroup<'q>> {
        Some(self.serving(name, self.ready.group(name)?))
    }

    /// When it is the turn of the jobs without a group.
    pub(super) fn ungrouped_position(&mut self) -> Option<GroupPosition> {
        self.ungrouped.peek().map(|(rank, _)| (*rank, self.ungrouped_turn))
    }

    /// The groups from which nothing more is taken because their rates are used up.
    pub fn cut_by_rates(&mut self) -> impl Iterator<Item = &'q [u8]> {
        let served = self.served.iter_mut().filter(|group| group.starts_left == 0);
        served.filter_map(|group| group.slot_is_free().then_some(group.name))
    }
}

impl Iterator for ServingOrder<'_> {
    type Item = Serial;

    fn next(&mut self) -> Option<Serial> {
        loop {
            let ungrouped = self.ungrouped_position();
            let Some(Reverse((position, source))) = self.positions.peek().copied() else {
                return self.serve_ungrouped();
            };
            if ungrouped.is_some_and(|ungrouped| ungrouped < position) {
                return self.serve_ungrouped();
            }
            self.positions.pop();
            let at = match source {
                GroupSource::ServedGroup(at) => Some(at),
                GroupSource::Waiting { group_position, group } => self.next_unserved(group_position, group),
            };
            if let Some(serial) = at.and_then(|at| self.serve(at)) {
                return Some(serial);
            }
        }
    }
}

impl<'q> ServedGroup<'q> {
    /// The ranks of the next begun and the next fresh job that may go.
    fn ranks(&mut self) -> (Option<Rank>, Option<Rank>) {
        if self.starts_left == 0 {
            return (None, None);
        }
        self.ranks_by_slots()
    }

    /// Like [`ServedGroup::ranks`], whatever the group's rate.
    fn ranks_by_slots(&mut self) -> (Option<Rank>, Option<Rank>) {
        let batches = self.group.batches.as_ref().filter(|_| !self.taken_batches.is_empty());
        if let Some(batches) = batches {
            let is_taken = |serial| batches.id_of(serial).is_some_and(|id| self.taken_batches.contains(&id));
            while self.started.next_if(|(_, serial)| is_taken(*serial)).is_some() {}
        }
        let started = self.started.peek().filter(|_| self.active < self.limit).map(|(rank, _)| *rank);
        let unstarted = self.unstarted.peek().filter(|_| self.held < self.limit).map(|(rank, _)| *rank);
        (started, unstarted)
    }

    fn slot_is_free(&mut self) -> bool {
        self.ranks_by_slots() != (None, None)
    }

    fn rank(&mut self) -> Option<Rank> {
        let (started, unstarted) = self.ranks();
        [started, unstarted].into_iter().flatten().min()
    }

    /// Whether the next job to go is a begun one; `None` if none may go.
    pub(super) fn begins_with_started(&mut self) -> Option<bool> {
        match self.ranks() {
            (Some(started), Some(unstarted)) => Some(started <= unstarted),
            (started, unstarted) => started.or(unstarted).map(|_| started.is_some()),
        }
    }

    /// How many of its jobs its rate admits.
    pub(super) fn starts_left(&self) -> usize {
        usize::try_from(self.starts_left).unwrap_or(usize::MAX)
    }

    fn take(&mut self) -> Option<(Rank, Serial)> {
        let taken = if self.begins_with_started()? {
            let taken = self.started.next();
            let batch = self.group.batches.as_ref().zip(taken);
            self.taken_batches.extend(batch.and_then(|(batches, (_, serial))| batches.id_of(serial)));
            taken
        } else {
            self.held += 1;
            self.unstarted.next()
        };
        self.active += u32::from(taken.is_some());
        self.starts_left = self.starts_left.saturating_sub(u64::from(taken.is_some()));
        taken
    }
}
