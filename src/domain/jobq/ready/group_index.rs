//! Keeps groups sorted by the slots they hold, then by rank and turn. `serving_order` decides which
//! group is served next.
//!
//! Beside that it knows which groups have many jobs, and which have an old one. So who lingers for
//! a batch finds the groups that may have one without a look at the others.

use std::collections::btree_map::{self, BTreeMap};
use std::collections::btree_set::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::priority_lanes::Rank;
use crate::domain::time::UnixMs;

/// When a group was served last, or joined: counted for the whole queue, so that no two are alike.
pub(crate) type TurnNumber = u64;

/// A group's place among all: by the rank of its first job, then by whose turn it is.
pub(crate) type GroupPosition = (Rank, TurnNumber);

const FIRST: GroupPosition = (Rank::MIN, 0);
const LAST: GroupPosition = (Rank::MAX, TurnNumber::MAX);

/// Groups in the order of their positions.
pub(crate) type GroupPositions<'r> = btree_map::Iter<'r, GroupPosition, Arc<[u8]>>;

/// The size of a run that has more bytes than one answer holds.
pub(crate) const FULL_OF_BYTES: u32 = u32::MAX;

/// What the next run of a group has at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunBounds {
    /// How many jobs, or [`FULL_OF_BYTES`].
    pub size: u32,
    /// Since when its oldest job is ready.
    pub oldest: UnixMs,
}

impl RunBounds {
    /// Whether the run may have so many jobs, or one that has been ready since `since`.
    pub fn may_have(&self, size: u32, since: UnixMs) -> bool {
        self.size >= size || self.oldest <= since
    }
}

/// Where a group is kept: the slots it holds and its position; and what it may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingPosition {
    pub taken: u32,
    pub position: GroupPosition,
    pub run: RunBounds,
}

/// Groups that hold the same number of slots.
#[derive(Debug, Default)]
struct Ring {
    by_position: BTreeMap<GroupPosition, Arc<[u8]>>,
    by_size: BTreeSet<(u32, GroupPosition)>,
    by_age: BTreeSet<(UnixMs, GroupPosition)>,
}

/// Groups that have a job to hand out. Groups are kept apart by the number of slots they hold, so a
/// changed GROUP limit needs no new sort.
#[derive(Debug, Default)]
pub(crate) struct GroupIndex(BTreeMap<u32, Ring>);

impl GroupIndex {
    /// Moves a group to where it belongs now.
    pub fn reposition(
        &mut self,
        group: &Arc<[u8]>,
        before: Option<RingPosition>,
        after: Option<RingPosition>,
    ) {
        if before == after {
            return;
        }
        let place = |at: &RingPosition| (at.taken, at.position);
        let stays = before.as_ref().map(place) == after.as_ref().map(place);
        if let Some(before) = before
            && let Some(ring) = self.0.get_mut(&before.taken)
        {
            let keeps = |same: fn(&RunBounds) -> u64| {
                stays && after.is_some_and(|after| same(&after.run) == same(&before.run))
            };
            if !keeps(|run| run.size.into()) {
                ring.by_size.remove(&(before.run.size, before.position));
            }
            if !keeps(|run| run.oldest) {
                ring.by_age.remove(&(before.run.oldest, before.position));
            }
            if !stays {
                ring.by_position.remove(&before.position);
                if ring.by_position.is_empty() {
                    self.0.remove(&before.taken);
                }
            }
        }
        if let Some(RingPosition { taken, position, run }) = after {
            let ring = self.0.entry(taken).or_default();
            let was = before.filter(|_| stays).map(|before| before.run);
            if was.is_none_or(|was| was.size != run.size) {
                ring.by_size.insert((run.size, position));
            }
            if was.is_none_or(|was| was.oldest != run.oldest) {
                ring.by_age.insert((run.oldest, position));
            }
            if !stays {
                ring.by_position.insert(position, Arc::clone(group));
            }
        }
    }

    /// The groups with fewer than `limit` places taken: for each number of them, in the order of
    /// seats.
    pub fn below(&self, limit: u32) -> impl Iterator<Item = GroupPositions<'_>> + use<'_> {
        self.0.range(..limit).map(|(_, ring)| ring.by_position.iter())
    }

    /// How many groups there are for each number of places taken that is below `limit`.
    pub fn counts(&self, limit: u32) -> impl Iterator<Item = (u32, usize)> {
        self.0.range(..limit).map(|(taken, ring)| (*taken, ring.by_position.len()))
    }

    /// The groups whose next run may have so many jobs, or one that has been ready since `since`;
    /// some come twice.
    pub fn with_runs(&self, limit: u32, size: u32, since: UnixMs) -> impl Iterator<Item = &Arc<[u8]>> {
        self.0.range(..limit).flat_map(move |(_, ring)| {
            let large = ring.by_size.range((size, FIRST)..).map(|(_, position)| position);
            let aged = ring.by_age.iter().take_while(move |(oldest, _)| *oldest <= since);
            large.chain(aged.map(|(_, position)| position)).filter_map(|at| ring.by_position.get(at))
        })
    }

    /// Since when the oldest job of a group waits, of those that became ready after `since`.
    pub fn oldest_after(&self, limit: u32, since: Option<UnixMs>) -> Option<UnixMs> {
        let from = since.map_or(Unbounded, |since| Excluded((since, LAST)));
        let first = |ring: &Ring| ring.by_age.range((from, Unbounded)).next().map(|(oldest, _)| *oldest);
        self.0.range(..limit).filter_map(|(_, ring)| first(ring)).min()
    }

    #[cfg(test)]
    pub fn rows(&self) -> Vec<(RingPosition, Arc<[u8]>)> {
        let of_ring = |(taken, ring): (&u32, &Ring)| {
            assert_eq!([ring.by_size.len(), ring.by_age.len()], [ring.by_position.len(); 2]);
            let sizes = ring.by_size.iter().map(|(size, at)| (*at, *size)).collect::<BTreeMap<_, _>>();
            let ages = ring.by_age.iter().map(|(oldest, at)| (*at, *oldest)).collect::<BTreeMap<_, _>>();
            let row = |(position, name): (&GroupPosition, &Arc<[u8]>)| {
                let run = RunBounds { size: sizes[position], oldest: ages[position] };
                (RingPosition { taken: *taken, position: *position, run }, Arc::clone(name))
            };
            ring.by_position.iter().map(row).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_ring).collect()
    }
}
