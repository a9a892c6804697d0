//! The state of a queue.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::job::{Job, State};
use crate::domain::time::UnixMs;

/// Counts the pushes of a queue: names a job for as long as the queue lives.
pub type Serial = u64;

/// The jobs of one state in their order: by a time, then by the order of pushing.
pub(super) type Lane = BTreeSet<(UnixMs, Serial)>;

/// What has happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub pushed: u64,
    pub acked: u64,
    pub failed: u64,
    pub retried: u64,
    pub stalled: u64,
    pub died: u64,
}

/// A queue: its jobs by serial, and an ordered lane for each state.
///
/// A serial is never used again, so an automatic id (`#` and the serial) needs no index of its own
/// and never comes back for another job.
#[derive(Debug, Default)]
pub struct Queue {
    pub(super) jobs: BTreeMap<Serial, Box<Job>>,
    lanes: [Lane; 5],
    /// Only ids that their pushers chose.
    ids: HashMap<Box<[u8]>, Serial>,
    /// The latest time seen: the queue's clock never runs backwards.
    pub(super) clock: UnixMs,
    /// Of the next push.
    pub(super) next_serial: Serial,
    pub(super) highest_token: u64,
    pub(super) totals: Totals,
    /// Bytes of all jobs.
    pub(super) weight: usize,
}

impl Queue {
    pub(super) fn lane(&self, state: State) -> &Lane {
        &self.lanes[state as usize]
    }

    /// How many jobs are in a state, as far as the queue has advanced.
    pub fn count(&self, state: State) -> usize {
        self.lane(state).len()
    }

    /// `now` for a queue that may have seen a later time.
    pub(super) fn clamp(&self, now: UnixMs) -> UnixMs {
        self.clock.max(now)
    }

    pub(super) fn job(&self, serial: Serial) -> Option<&Job> {
        self.jobs.get(&serial).map(|job| &**job)
    }

    /// The first job of a lane.
    pub(super) fn first(&self, state: State) -> Option<(UnixMs, Serial)> {
        self.lane(state).first().copied()
    }

    /// A job by the id that its clients use.
    pub(super) fn find(&self, id: &[u8]) -> Option<(Serial, &Job)> {
        let serial = match id.first() {
            Some(b'#') => automatic(id)?,
            _ => *self.ids.get(id)?,
        };
        Some((serial, self.job(serial)?))
    }

    /// Puts a job into its lane; false when the serial or the id is taken.
    pub(super) fn insert(&mut self, serial: Serial, job: Job) -> bool {
        if self.jobs.contains_key(&serial) || job.id().is_some_and(|id| self.ids.contains_key(id)) {
            return false;
        }
        if let Some(id) = job.id() {
            self.ids.insert(id.into(), serial);
        }
        self.weight += job.weight();
        self.lanes[job.state as usize].insert((job.at, serial));
        self.jobs.insert(serial, Box::new(job));
        true
    }

    /// Changes a job and moves it to the lane that it then belongs to.
    pub(super) fn change(&mut self, serial: Serial, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.jobs.get_mut(&serial) else { return };
        let before = (job.state, job.at, job.weight());
        change(job);
        let after = (job.state, job.at, job.weight());
        self.weight = self.weight - before.2 + after.2;
        if (before.0, before.1) != (after.0, after.1) {
            self.lanes[before.0 as usize].remove(&(before.1, serial));
            self.lanes[after.0 as usize].insert((after.1, serial));
        }
    }

    pub(super) fn remove(&mut self, serial: Serial) {
        let Some(job) = self.jobs.remove(&serial) else { return };
        self.lanes[job.state as usize].remove(&(job.at, serial));
        if let Some(id) = job.id() {
            self.ids.remove(id);
        }
        self.weight -= job.weight();
    }

    /// When something may become poppable though nobody touches the queue.
    pub fn next_due(&self) -> Option<UnixMs> {
        let first = |state| self.first(state).map(|(at, _)| at);
        [first(State::Delayed), first(State::Active)].into_iter().flatten().min()
    }
}

impl Job {
    /// The id that clients use for this job.
    pub(super) fn shown_id(&self, serial: Serial) -> Cow<'_, [u8]> {
        self.id().map_or_else(|| Cow::Owned(automatic_id(serial).into()), Cow::Borrowed)
    }
}

/// `#` and the serial in base 36.
pub(super) fn automatic_id(serial: Serial) -> Box<[u8]> {
    let mut digits = Vec::with_capacity(14);
    let mut rest = serial;
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize]);
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    digits.push(b'#');
    digits.reverse();
    digits.into()
}

/// The serial of an automatic id.
fn automatic(id: &[u8]) -> Option<Serial> {
    let digits = std::str::from_utf8(id.strip_prefix(b"#")?).ok()?;
    let serial = Serial::from_str_radix(digits, 36).ok()?;
    // Only the one way of writing it: no leading zeros, plus signs or capitals.
    (*automatic_id(serial) == *id).then_some(serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_automatic_id_has_one_spelling() {
        for serial in [0, 35, 36, u64::MAX] {
            assert_eq!(automatic(&automatic_id(serial)), Some(serial));
        }
        for id in ["", "#", "#01", "#+1", "#A", "1", "#-1", "#zzzzzzzzzzzzzz", "#\u{e9}"] {
            assert_eq!(automatic(id.as_bytes()), None, "{id}");
        }
    }
}
