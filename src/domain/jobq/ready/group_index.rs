//! Keeps groups sorted by the slots they hold, then by rank and turn. `serving_order` decides which
//! group is served next.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use super::priority_lanes::Rank;

/// When a group was served last, or joined: counted for the whole queue, so that no two are alike.
pub(crate) type TurnNumber = u64;

/// A group's place among all: by the rank of its first job, then by whose turn it is.
pub(crate) type GroupPosition = (Rank, TurnNumber);

/// Groups in the order of their positions.
pub(crate) type GroupPositions<'r> = btree_map::Iter<'r, GroupPosition, Arc<[u8]>>;

/// Groups that have a job to hand out. Groups are kept apart by the number of slots they hold, so a
/// changed GROUP limit needs no new sort.
#[derive(Debug, Default)]
pub(crate) struct GroupIndex(BTreeMap<u32, BTreeMap<GroupPosition, Arc<[u8]>>>);

/// Where a group is kept: the slots it holds and its position.
pub(crate) type RingPosition = (u32, GroupPosition);

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
        if let Some((taken, position)) = before
            && let Some(group_position) = self.0.get_mut(&taken)
        {
            group_position.remove(&position);
            if group_position.is_empty() {
                self.0.remove(&taken);
            }
        }
        if let Some((taken, position)) = after {
            self.0.entry(taken).or_default().insert(position, Arc::clone(group));
        }
    }

    /// The groups with fewer than `limit` places taken: for each number of them, in the order of
    /// seats.
    pub fn below(&self, limit: u32) -> impl Iterator<Item = GroupPositions<'_>> + use<'_> {
        self.0.range(..limit).map(|(_, group_position)| group_position.iter())
    }
}
