//! The order in which groups take their turns.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use super::priority_lanes::Rank;

/// When a group was served last, or joined: counted for the whole queue, so that no two are alike.
pub(crate) type TurnNumber = u64;

/// A group's place among all: by the rank of its first job, then by whose turn it is.
pub(crate) type GroupPosition = (Rank, TurnNumber);

/// Groups in the order of their seats.
pub(crate) type GroupPositions<'r> = btree_map::Iter<'r, GroupPosition, Arc<[u8]>>;

/// Groups that have a job to hand out, each with how many of its places are taken. By keeping those
/// of each number apart, a queue can say at once which groups are below a limit, whatever that
/// limit is now.
#[derive(Debug, Default)]
pub(crate) struct GroupRing(BTreeMap<u32, BTreeMap<GroupPosition, Arc<[u8]>>>);

/// Where a group sits: its taken places and its seat.
pub(crate) type RingPosition = (u32, GroupPosition);

impl GroupRing {
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
            && let Some(ring_position) = self.0.get_mut(&taken)
        {
            ring_position.remove(&position);
            if ring_position.is_empty() {
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
        self.0.range(..limit).map(|(_, ring_position)| ring_position.iter())
    }
}
