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
pub struct Flow {
    /// By their anchors; those that had ended before it was pushed are none of them.
    pub after: Box<[Serial]>,
    pub on_dead: OnDead,
    /// For how many of them it still waits.
    pub open: u32,
}

/// How a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Dead,
    /// Cancelled, purged, expired or forgotten without having been done.
    Gone,
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Done, Outcome::Dead, Outcome::Gone];
}

/// From the anchor of a job to one that waits for it, and whether it goes on waiting when that is dead.
pub(crate) type Edge = (Serial, bool, Serial);

/// Who waits for whom.
///
/// Edges lead from a job's anchor: its own serial, or that of the job whose place it has taken, so that taking a
/// place with all that wait costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    pub edges: BTreeSet<Edge>,
    /// The jobs that stand for another anchor than their own serial.
    pub heirs: BTreeMap<Serial, Serial>,
    /// Jobs that have ended, how and with which id; those that wait are still to be told.
    pub ended: BTreeMap<Serial, (Outcome, Box<[u8]>)>,
    /// Jobs that do not wait any more, and edges of theirs that are still to be taken away.
    pub loose: BTreeMap<Serial, (OnDead, Vec<Serial>)>,
}

impl Flows {
    pub fn has_work(&self) -> bool {
        !self.ended.is_empty() || !self.loose.is_empty()
    }

    pub fn has_edge(&self, anchor: Serial, on_dead: OnDead, child: Serial) -> bool {
        self.edges.contains(&(anchor, on_dead == OnDead::Wait, child))
    }

    /// Whether any job waits for this one; `but` leaves out those that go on waiting when it is dead.
    pub(crate) fn first(&self, anchor: Serial, outcome: Outcome) -> Option<Edge> {
        let last = (anchor, outcome != Outcome::Dead, Serial::MAX);
        self.edges.range((anchor, false, 0)..=last).next().copied()
    }

    /// Whether a serial is still spoken of, so that no job may have it.
    pub fn speaks_of(&self, serial: Serial) -> bool {
        self.heirs.contains_key(&serial)
            || self.ended.contains_key(&serial)
            || self.loose.contains_key(&serial)
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.edges.len() * 36 + (self.heirs.len() + self.ended.len() + self.loose.len()) * 80
    }
}
