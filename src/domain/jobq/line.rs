//! The line of jobs that are ready: a lane for each priority, the lowest number first.

use std::collections::{BTreeMap, BTreeSet};

use super::queue::Serial;
use crate::domain::time::UnixMs;

/// How many priorities are looked at for the job that has been ready longest.
const LOOKED_AT: usize = 1_000;

/// Set in the first number of those that joined at the end of their lane.
const END: u64 = 1 << 63;

/// What orders a job among those of its priority. Both numbers of a LIFO job are turned round, so the
/// latest of them stands first, before all the others.
type Place = (u64, u64);

fn place(since: UnixMs, serial: Serial, lifo: bool) -> Place {
    if lifo { (!since & !END, !serial) } else { (since | END, serial) }
}

fn serial((since, serial): Place) -> Serial {
    if since & END == 0 { !serial } else { serial }
}

/// Every verb costs O(log n), whatever the number of priorities.
#[derive(Debug, Default)]
pub(super) struct Line {
    lanes: BTreeMap<i32, BTreeSet<Place>>,
    len: usize,
}

impl Line {
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many lanes there are, each of which takes memory of its own.
    pub fn priorities(&self) -> usize {
        self.lanes.len()
    }

    pub fn insert(&mut self, priority: i32, lifo: bool, since: UnixMs, serial: Serial) {
        let lane = self.lanes.entry(priority).or_default();
        self.len += usize::from(lane.insert(place(since, serial, lifo)));
    }

    pub fn remove(&mut self, priority: i32, lifo: bool, since: UnixMs, serial: Serial) {
        let Some(lane) = self.lanes.get_mut(&priority) else { return };
        self.len -= usize::from(lane.remove(&place(since, serial, lifo)));
        if lane.is_empty() {
            self.lanes.remove(&priority);
        }
    }

    /// The jobs in the order of POP.
    pub fn serials(&self) -> impl Iterator<Item = Serial> {
        self.lanes.values().flatten().map(|place| serial(*place))
    }

    /// Since when the job waits that has been ready longest, among those of the first 1,000 priorities.
    pub fn oldest(&self) -> Option<UnixMs> {
        let of_lane = |lane: &BTreeSet<Place>| {
            let fifo = lane.range((END, 0)..).next().map(|(since, _)| since & !END);
            let lifo = lane.range(..(END, 0)).next_back().map(|(since, _)| !since & !END);
            [fifo, lifo].into_iter().flatten().min()
        };
        self.lanes.values().take(LOOKED_AT).filter_map(of_lane).min()
    }
}
