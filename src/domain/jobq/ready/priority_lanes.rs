//! Jobs that are ready, in their order: a lane for each rank, the lowest number first.

use crate::domain::jobq::ready::sorted_set;
use crate::domain::jobq::ready::sorted_set::SortedSet;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, btree_map};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// A job's priority, shifted by aging.
pub(crate) type Rank = i64;

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
    /// Of its payload.
    pub bytes: u32,
}

/// Every verb costs O(log n), whatever the number of ranks.
#[derive(Debug, Default)]
pub(crate) struct PriorityLanes {
    lanes: BTreeMap<Rank, SortedSet>,
    jobs: usize,
    bytes: usize,
    /// The lane that was the only one.
    first_lane: Option<Rank>,
    /// The jobs of all other lanes by time; most often there is no other.
    other_lanes: Option<Box<SortedSet>>,
}

impl PriorityLanes {
    /// How many lanes there are, each of which takes memory of its own.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// How many bytes of payload they have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    pub fn insert(&mut self, lane_position: LanePosition) {
        let LanePosition { rank, lifo, since, serial, bytes } = lane_position;
        if self.lanes.is_empty() {
            self.first_lane = Some(rank);
        }
        self.lanes.entry(rank).or_default().insert(place(since, serial, lifo));
        if self.first_lane != Some(rank) {
            self.other_lanes.get_or_insert_default().insert((since, serial));
        }
        self.jobs += 1;
        self.bytes += bytes as usize;
    }

    pub fn remove(&mut self, lane_position: LanePosition) {
        let LanePosition { rank, lifo, since, serial, bytes } = lane_position;
        let Some(lane) = self.lanes.get_mut(&rank) else { return };
        lane.remove(&place(since, serial, lifo));
        if lane.is_empty() {
            self.lanes.remove(&rank);
        }
        if self.first_lane != Some(rank)
            && let Some(others) = &mut self.other_lanes
        {
            others.remove(&(since, serial));
            self.other_lanes.take_if(|others| others.is_empty());
        } else if !self.lanes.contains_key(&rank) {
            self.first_lane = None;
        }
        self.jobs -= 1;
        self.bytes -= bytes as usize;
    }

    /// The rank of the first job.
    pub fn first_rank(&self) -> Option<Rank> {
        self.lanes.first_key_value().map(|(rank, _)| *rank)
    }

    /// The jobs in their order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rank: 0, lane: None, rest: self.lanes.iter() }
    }

    /// The places behind one, each with its rank; `None` is before the first.
    pub fn after<'l>(
        &'l self,
        at: Option<(Rank, OrderKey)>,
    ) -> impl Iterator<Item = (Rank, OrderKey)> + use<'l> {
        let rest = at.and_then(|(rank, place)| Some((rank, place, self.lanes.get(&rank)?)));
        let rest = rest
            .into_iter()
            .flat_map(|(rank, place, lane)| lane.from(Excluded(place)).map(move |place| (rank, *place)));
        let others = self.lanes.range((at.map_or(Unbounded, |(rank, _)| Excluded(rank)), Unbounded));
        rest.chain(others.flat_map(|(rank, lane)| lane.iter().map(move |place| (*rank, *place))))
    }

    /// The places before one, each with its rank, the nearest first; `None` is behind the last.
    pub fn before<'l>(
        &'l self,
        at: Option<(Rank, OrderKey)>,
    ) -> impl Iterator<Item = (Rank, OrderKey)> + use<'l> {
        const LAST: OrderKey = (u64::MAX, u64::MAX);
        let own = at.and_then(|(rank, place)| Some((rank, place, self.lanes.get(&rank)?)));
        let own = own
            .into_iter()
            .flat_map(|(rank, place, lane)| lane.before(place).map(move |place| (rank, *place)));
        let others = self.lanes.range((Unbounded, at.map_or(Unbounded, |(rank, _)| Excluded(rank)))).rev();
        own.chain(others.flat_map(|(rank, lane)| lane.before(LAST).map(move |place| (*rank, *place))))
    }

    /// Since when the job waits that has been ready longest of those that count.
    pub fn oldest(&self, counts: impl Fn(Serial) -> bool) -> Option<UnixMs> {
        let in_lane = |place: &&OrderKey| counts(serial(**place));
        let of_first = self.first_lane.and_then(|rank| self.lanes.get(&rank)).and_then(|lane| {
            let fifo = lane.from(Included((END, 0))).find(in_lane).map(|(since, _)| since & !END);
            let lifo = lane.before((END, 0)).find(in_lane).map(|(since, _)| !since & !END);
            [fifo, lifo].into_iter().flatten().min()
        });
        let others = self.other_lanes.iter().flat_map(|others| others.iter());
        let of_others = others.copied().find(|(_, serial)| counts(*serial)).map(|(since, _)| since);
        of_first.into_iter().chain(of_others).min()
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
