//! Jobs that are ready, in their order: a lane for each rank, the lowest number first.

use crate::domain::jobq::ready::sorted_set;
use crate::domain::jobq::ready::sorted_set::SortedSet;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A job's priority, shifted by aging.
pub(crate) type Rank = i64;

/// How many lanes are looked at for the job that has been ready longest.
const SCAN_LIMIT: usize = 1_000;

/// The top bit of the first number of an [`OrderKey`]: set for FIFO jobs and clear for LIFO jobs,
/// so LIFO jobs sort first.
const END: u64 = 1 << 63;

/// Orders the jobs of one rank. Both numbers of a LIFO job are inverted, so the latest LIFO job
/// comes first, before all other jobs.
pub(crate) type OrderKey = (u64, u64);

fn place(since: UnixMs, serial: Serial, lifo: bool) -> OrderKey {
    if lifo { (!since & !END, !serial) } else { (since | END, serial) }
}

pub(crate) fn serial((since, serial): OrderKey) -> Serial {
    if since & END == 0 { !serial } else { serial }
}

/// The position of a ready job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LanePosition {
    pub rank: Rank,
    pub lifo: bool,
    pub since: UnixMs,
    pub serial: Serial,
}

/// Every verb costs O(log n), whatever the number of ranks.
#[derive(Debug, Default)]
pub(crate) struct PriorityLanes(BTreeMap<Rank, SortedSet>);

impl PriorityLanes {
    /// How many lanes there are, each of which takes memory of its own.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn insert(&mut self, lane_position: LanePosition) {
        self.0.entry(lane_position.rank).or_default().insert(place(
            lane_position.since,
            lane_position.serial,
            lane_position.lifo,
        ));
    }

    pub fn remove(&mut self, lane_position: LanePosition) {
        let Some(lane) = self.0.get_mut(&lane_position.rank) else { return };
        lane.remove(&place(lane_position.since, lane_position.serial, lane_position.lifo));
        if lane.is_empty() {
            self.0.remove(&lane_position.rank);
        }
    }

    /// The rank of the first job.
    pub fn first_rank(&self) -> Option<Rank> {
        self.0.first_key_value().map(|(rank, _)| *rank)
    }

    /// The jobs in their order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rank: 0, lane: None, rest: self.0.iter() }
    }

    /// The places behind one, each with its rank; `None` is before the first.
    pub fn after<'l>(
        &'l self,
        at: Option<(Rank, OrderKey)>,
    ) -> impl Iterator<Item = (Rank, OrderKey)> + use<'l> {
        let rest = at.and_then(|(rank, place)| Some((rank, place, self.0.get(&rank)?)));
        let rest = rest
            .into_iter()
            .flat_map(|(rank, place, lane)| lane.from(Excluded(place)).map(move |place| (rank, *place)));
        let others = self.0.range((at.map_or(Unbounded, |(rank, _)| Excluded(rank)), Unbounded));
        rest.chain(others.flat_map(|(rank, lane)| lane.iter().map(move |place| (*rank, *place))))
    }

    /// The places before one, each with its rank, the nearest first; `None` is behind the last.
    pub fn before<'l>(
        &'l self,
        at: Option<(Rank, OrderKey)>,
    ) -> impl Iterator<Item = (Rank, OrderKey)> + use<'l> {
        const LAST: OrderKey = (u64::MAX, u64::MAX);
        let own = at.and_then(|(rank, place)| Some((rank, place, self.0.get(&rank)?)));
        let own = own
            .into_iter()
            .flat_map(|(rank, place, lane)| lane.before(place).map(move |place| (rank, *place)));
        let others = self.0.range((Unbounded, at.map_or(Unbounded, |(rank, _)| Excluded(rank)))).rev();
        own.chain(others.flat_map(|(rank, lane)| lane.before(LAST).map(move |place| (*rank, *place))))
    }

    /// Since when the job waits that has been ready longest of those that count, in the first 1,000
    /// lanes.
    pub fn oldest(&self, counts: impl Fn(Serial) -> bool) -> Option<UnixMs> {
        let counts = |place: &&OrderKey| counts(serial(**place));
        let of_lane = |lane: &SortedSet| {
            let fifo = lane.from(Included((END, 0))).find(counts).map(|(since, _)| since & !END);
            let lifo = lane.before((END, 0)).find(counts).map(|(since, _)| !since & !END);
            [fifo, lifo].into_iter().flatten().min()
        };
        self.0.values().take(SCAN_LIMIT).filter_map(of_lane).min()
    }
}

/// The jobs of all lanes in their order.
#[derive(Debug)]
pub(crate) struct Iter<'l> {
    /// Of the lane that is walked.
    rank: Rank,
    lane: Option<sorted_set::Iter<'l>>,
    rest: btree_map::Iter<'l, Rank, SortedSet>,
}

impl Iterator for Iter<'_> {
    type Item = (Rank, Serial);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(place) = self.lane.as_mut().and_then(Iterator::next) {
                return Some((self.rank, serial(*place)));
            }
            let (rank, lane) = self.rest.next()?;
            (self.rank, self.lane) = (*rank, Some(lane.iter()));
        }
    }
}
