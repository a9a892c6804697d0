//! The order in which groups take their turns.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use super::priority_lanes::Rank;

/// When a group was served last, or joined: counted for the whole queue, so that no two are alike.
pub(crate) type Turn = u64;

/// A group's place among all: by the rank of its first job, then by whose turn it is.
pub(crate) type Seat = (Rank, Turn);

/// Groups in the order of their seats.
pub(crate) type Seats<'r> = btree_map::Iter<'r, Seat, Arc<[u8]>>;

/// Groups that have a job to hand out, each with how many of its places are taken. By keeping those of
/// each number apart, a queue can say at once which groups are below a limit, whatever that limit is now.
#[derive(Debug, Default)]
pub(crate) struct Ring(BTreeMap<u32, BTreeMap<Seat, Arc<[u8]>>>);

/// Where a group sits: its taken places and its seat.
pub(crate) type Row = (u32, Seat);

impl Ring {
    /// Moves a group to where it belongs now.
    pub fn reseat(&mut self, group: &Arc<[u8]>, before: Option<Row>, after: Option<Row>) {
        if before == after {
            return;
        }
        if let Some((taken, seat)) = before
            && let Some(row) = self.0.get_mut(&taken)
        {
            row.remove(&seat);
            if row.is_empty() {
                self.0.remove(&taken);
            }
        }
        if let Some((taken, seat)) = after {
            self.0.entry(taken).or_default().insert(seat, Arc::clone(group));
        }
    }

    /// The groups with fewer than `limit` places taken: for each number of them, in the order of seats.
    pub fn below(&self, limit: u32) -> impl Iterator<Item = Seats<'_>> + use<'_> {
        self.0.range(..limit).map(|(_, row)| row.iter())
    }
}
