//! The state of a queue.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::job::{Job, State};
use super::line::Line;
use crate::domain::time::UnixMs;

/// Counts the pushes of a queue: names a job for as long as the queue lives.
pub type Serial = u64;

/// The jobs of one state that a time orders, then the order of pushing.
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

/// A queue: its jobs by serial, and the jobs of each state in their order.
///
/// A serial is never used again, so an automatic id (`#` and the serial) needs no index of its own
/// and never comes back for another job.
#[derive(Debug, Default)]
pub struct Queue {
    pub(super) jobs: BTreeMap<Serial, Box<Job>>,
    pub(super) line: Line,
    /// Of every state but [`State::Ready`], whose jobs stand in the line.
    lanes: [Lane; 4],
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
    /// The jobs of a state by time; those that are ready have [`Queue::line`] instead.
    pub(super) fn timed(&self, state: State) -> &Lane {
        &self.lanes[lane_of(state)]
    }

    /// The jobs of a state in its order.
    pub(super) fn serials(&self, state: State) -> impl Iterator<Item = Serial> {
        let ready = (state == State::Ready).then(|| self.line.serials());
        let timed = (state != State::Ready).then(|| self.timed(state).iter().map(|(_, serial)| *serial));
        ready.into_iter().flatten().chain(timed.into_iter().flatten())
    }

    /// How many jobs are in a state, as far as the queue has advanced.
    pub fn count(&self, state: State) -> usize {
        if state == State::Ready { self.line.len() } else { self.timed(state).len() }
    }

    /// `now` for a queue that may have seen a later time.
    pub(super) fn clamp(&self, now: UnixMs) -> UnixMs {
        self.clock.max(now)
    }

    pub(super) fn job(&self, serial: Serial) -> Option<&Job> {
        self.jobs.get(&serial).map(|job| &**job)
    }

    /// The first job of a state that a time orders.
    pub(super) fn first(&self, state: State) -> Option<(UnixMs, Serial)> {
        self.timed(state).first().copied()
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
        self.enter(serial, job.standing());
        self.jobs.insert(serial, Box::new(job));
        true
    }

    /// Changes a job and moves it to the lane that it then belongs to.
    pub(super) fn change(&mut self, serial: Serial, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.jobs.get_mut(&serial) else { return };
        let before = (job.standing(), job.weight());
        change(job);
        let after = (job.standing(), job.weight());
        self.weight = self.weight - before.1 + after.1;
        if before.0 != after.0 {
            self.leave(serial, before.0);
            self.enter(serial, after.0);
        }
    }

    pub(super) fn remove(&mut self, serial: Serial) {
        let Some(job) = self.jobs.remove(&serial) else { return };
        self.leave(serial, job.standing());
        if let Some(id) = job.id() {
            self.ids.remove(id);
        }
        self.weight -= job.weight();
    }

    fn enter(&mut self, serial: Serial, Standing { state, at, priority, lifo }: Standing) {
        match state {
            State::Ready => self.line.insert(priority, lifo, at, serial),
            _ => _ = self.lanes[lane_of(state)].insert((at, serial)),
        }
    }

    fn leave(&mut self, serial: Serial, Standing { state, at, priority, lifo }: Standing) {
        match state {
            State::Ready => self.line.remove(priority, lifo, at, serial),
            _ => _ = self.lanes[lane_of(state)].remove(&(at, serial)),
        }
    }

    /// When something may become poppable though nobody touches the queue.
    pub fn next_due(&self) -> Option<UnixMs> {
        let first = |state| self.first(state).map(|(at, _)| at);
        [first(State::Delayed), first(State::Active)].into_iter().flatten().min()
    }
}

/// Where a job stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    state: State,
    at: UnixMs,
    priority: i32,
    lifo: bool,
}

/// Which of the lanes is that of a state.
fn lane_of(state: State) -> usize {
    match state {
        State::Delayed => 0,
        State::Active => 1,
        State::Done => 2,
        State::Dead => 3,
        State::Ready => unreachable!("the ready stand in the line"),
    }
}

impl Job {
    fn standing(&self) -> Standing {
        Standing { state: self.state, at: self.at, priority: self.priority, lifo: self.lifo }
    }

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
