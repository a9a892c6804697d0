//! Who waits for whom.

use crate::domain::jobq::state::serial::Serial;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a job when one that it waits for is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDead {
    /// It goes on waiting: for a REDRIVE.
    Wait,
    /// It dies too.
    Fail,
    /// It runs all the same.
    Run,
}

impl OnDead {
    pub(crate) const ALL: [OnDead; 3] = [OnDead::Wait, OnDead::Fail, OnDead::Run];
}

/// What a job was pushed to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    /// By their anchors; those that had ended before it was pushed are none of them.
    pub after: Box<[Serial]>,
    pub on_dead: OnDead,
    /// For how many of them it still waits.
    pub open: u32,
}

/// How a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyOutcome {
    Done,
    Dead,
    /// Cancelled, purged, expired or forgotten without having been done.
    Gone,
}

impl DependencyOutcome {
    pub const ALL: [DependencyOutcome; 3] =
        [DependencyOutcome::Done, DependencyOutcome::Dead, DependencyOutcome::Gone];
}

/// From the anchor of a job to one that waits for it, and whether it goes on waiting when that is dead.
pub(crate) type Edge = (Serial, bool, Serial);

/// Who waits for whom.
///
/// Edges lead from a job's anchor: its own serial, or that of the job whose place it has taken, so that taking a
/// place with all that wait costs nothing.
#[derive(Debug, Default)]
pub(crate) struct DependencyGraph {
    pub edges: BTreeSet<Edge>,
    /// The jobs that stand for another anchor than their own serial.
    pub replaced_by: BTreeMap<Serial, Serial>,
    /// Jobs that have ended, how and with which id; those that wait are still to be told.
    pub ended: BTreeMap<Serial, (DependencyOutcome, Box<[u8]>)>,
    /// Jobs that do not wait any more, and edges of theirs that are still to be taken away.
    pub cancelled_edges: BTreeMap<Serial, (OnDead, Vec<Serial>)>,
}

impl DependencyGraph {
    pub fn has_work(&self) -> bool {
        !self.ended.is_empty() || !self.cancelled_edges.is_empty()
    }

    pub fn has_edge(&self, root: Serial, on_dead: OnDead, child: Serial) -> bool {
        self.edges.contains(&(root, on_dead == OnDead::Wait, child))
    }

    /// Whether any job waits for this one; `but` leaves out those that go on waiting when it is dead.
    pub(crate) fn first(&self, root: Serial, outcome: DependencyOutcome) -> Option<Edge> {
        let last = (root, outcome != DependencyOutcome::Dead, Serial::MAX);
        self.edges.range((root, false, 0)..=last).next().copied()
    }

    /// Whether a serial is still spoken of, so that no job may have it.
    pub fn mentions(&self, serial: Serial) -> bool {
        self.replaced_by.contains_key(&serial)
            || self.ended.contains_key(&serial)
            || self.cancelled_edges.contains_key(&serial)
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.edges.len() * 36 + (self.replaced_by.len() + self.ended.len() + self.cancelled_edges.len()) * 80
    }
}
