//! Which jobs wait for which.

use crate::domain::jobq::state::serial::Serial;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// What a job waits for, or waited for when it died; a job that goes on has none.
///
/// So a job without them can be waited for without a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    /// Their roots in order, also of those that have ended since. Jobs that had ended before are
    /// not among them.
    pub after: Arc<[Serial]>,
    pub on_dead: OnDead,
    /// How many of them have not ended.
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

/// Edges to a job that no longer waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelledEdges {
    pub on_dead: OnDead,
    /// Shared with the job, as there may be many.
    pub after: Arc<[Serial]>,
    /// How many of them, from the first, are still to be removed.
    pub left: usize,
}

/// From the root of a job to a dependent, and whether that goes on waiting when the job is dead.
pub(crate) type Edge = (Serial, bool, Serial);

/// Which jobs wait for which.
///
/// Edges start at a job's root: its own serial, or the root of the job it replaced. So replacing a
/// job with all its dependents costs nothing.
#[derive(Debug, Default)]
pub(crate) struct DependencyGraph {
    pub edges: BTreeSet<Edge>,
    /// The jobs whose root is not their own serial.
    pub replaced_by: BTreeMap<Serial, Serial>,
    /// Jobs that ended, with their outcome and id, whose dependents are still to be notified.
    pub ended: BTreeMap<Serial, (DependencyOutcome, Box<[u8]>)>,
    /// Jobs that no longer wait, with the edges that are still to be removed.
    pub cancelled_edges: BTreeMap<Serial, CancelledEdges>,
}

impl DependencyGraph {
    pub fn has_work(&self) -> bool {
        !self.ended.is_empty() || !self.cancelled_edges.is_empty()
    }

    pub fn has_edge(&self, root: Serial, on_dead: OnDead, child: Serial) -> bool {
        self.edges.contains(&(root, on_dead == OnDead::Wait, child))
    }

    /// Returns the first edge to a dependent that this outcome concerns: a dead job leaves alone
    /// those that go on waiting.
    pub(crate) fn first(&self, root: Serial, outcome: DependencyOutcome) -> Option<Edge> {
        let last = (root, outcome != DependencyOutcome::Dead, Serial::MAX);
        self.edges.range((root, false, 0)..=last).next().copied()
    }

    /// Whether anything here still refers to a serial, so that no job may get it.
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
