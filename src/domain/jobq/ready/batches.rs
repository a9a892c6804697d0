//! The batches of a group: jobs that a GROUPED POP handed out together, which hold one slot until
//! the last of them has ended.
//!
//! A slot has one run at a time. While a job of a batch is active, those of its jobs that are ready
//! again wait.

use crate::domain::jobq::ready::priority_lanes::{LanePosition, PriorityLanes};
use crate::domain::jobq::state::serial::Serial;
use std::collections::BTreeMap;

/// The fencing token of the first job of the POP that began the batch; 0 is no batch.
pub(crate) type BatchId = u64;

/// The jobs of one batch that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    members: u32,
    active: u32,
    ready: BTreeMap<Serial, LanePosition>,
}

impl Batch {
    /// The jobs that are ready for a further run, in the order of POP.
    pub fn ready(&self) -> PriorityLanes {
        let mut lanes = PriorityLanes::default();
        self.ready.values().for_each(|position| lanes.insert(*position));
        lanes
    }

    /// How many jobs are ready.
    pub fn ready_jobs(&self) -> usize {
        self.ready.len()
    }

    /// Whether all of its jobs are ready.
    pub fn is_whole(&self) -> bool {
        self.ready.len() == self.members as usize
    }
}

/// The batches of one group.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    by_id: BTreeMap<BatchId, Batch>,
    batch_of: BTreeMap<Serial, BatchId>,
    /// How many have an active job.
    active: u32,
}

impl Batches {
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn active(&self) -> u32 {
        self.active
    }

    /// How many slots the jobs save by sharing them.
    pub fn slots_saved(&self) -> usize {
        self.batch_of.len() - self.by_id.len()
    }

    pub fn id_of(&self, serial: Serial) -> Option<BatchId> {
        self.batch_of.get(&serial).copied()
    }

    pub fn get(&self, id: BatchId) -> Option<&Batch> {
        self.by_id.get(&id)
    }

    /// Adds a job, and moves those of its batch that may be popped into or out of `startable`.
    pub fn add(
        &mut self,
        serial: Serial,
        (id, active): (BatchId, bool),
        ready: Option<LanePosition>,
        startable: &mut PriorityLanes,
    ) {
        self.batch_of.insert(serial, id);
        let batch = self.by_id.entry(id).or_default();
        batch.members += 1;
        if active {
            if batch.active == 0 {
                self.active += 1;
                batch.ready.values().for_each(|position| startable.remove(*position));
            }
            batch.active += 1;
        }
        if let Some(position) = ready {
            batch.ready.insert(serial, position);
            if batch.active == 0 {
                startable.insert(position);
            }
        }
    }

    /// Undoes [`Batches::add`].
    pub fn remove(
        &mut self,
        serial: Serial,
        active: bool,
        ready: Option<LanePosition>,
        startable: &mut PriorityLanes,
    ) {
        let Some(id) = self.batch_of.remove(&serial) else { return };
        let Some(batch) = self.by_id.get_mut(&id) else { return };
        batch.members -= 1;
        if let Some(position) = ready {
            batch.ready.remove(&serial);
            if batch.active == 0 {
                startable.remove(position);
            }
        }
        if active {
            batch.active -= 1;
            if batch.active == 0 {
                self.active -= 1;
                batch.ready.values().for_each(|position| startable.insert(*position));
            }
        }
        if batch.members == 0 {
            self.by_id.remove(&id);
        }
    }
}
