//! The schedules that a queue keeps, in the order in which they are due.

use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

type Bytes = Box<[u8]>;

/// The most schedules of a queue.
pub const MOST_SCHEDULES: usize = 1_000;
/// A schedule's name is at most this long: with the time of a run it makes an id.
pub const LONGEST_SCHEDULE: usize = 100;

/// What is done about runs that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// The first of them is made, for all.
    One,
    /// Each is made, one after the other.
    All,
}

impl CatchUp {
    pub const ALL: [CatchUp; 3] = [CatchUp::Skip, CatchUp::One, CatchUp::All];
}

/// What a schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// As it was given.
    pub pattern: Bytes,
    /// Of the time zone, as the database writes it. Kept as text: whoever loads it may have another database.
    pub zone: Bytes,
    pub catch_up: CatchUp,
    /// A run is made though the last one is unfinished.
    pub overlap: bool,
    /// What every run pushes, but for the id and the time.
    pub job: NewJob,
}

impl Terms {
    /// Whether both are due at the same times.
    pub(crate) fn are_due_as(&self, other: &Terms) -> bool {
        (&self.pattern, &self.zone) == (&other.pattern, &other.zone)
    }

    fn weight(&self) -> usize {
        let parts = [&self.job.name, &self.job.meta].into_iter().flatten().map(|part| part.len());
        let backoff = self.job.backoff.as_ref().map_or(0, |backoff| backoff.weight());
        self.pattern.len() + self.zone.len() + self.job.payload.len() + parts.sum::<usize>() + backoff
    }
}

/// A run that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The time that it is of.
    pub due: UnixMs,
    pub serial: Serial,
}

/// A schedule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub terms: Terms,
    /// When it is due; `None` when it never will be again.
    pub next: Option<UnixMs>,
    pub last: Option<Run>,
    /// How many missed runs were made one after the other.
    pub behind: u32,
    /// It is due, and waits for its last run to end.
    pub held: bool,
}

/// Where an entry stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Due(UnixMs),
    Held(Serial),
    Nowhere,
}

impl Entry {
    fn place(&self) -> Place {
        match (self.held, self.last, self.next) {
            (true, Some(run), _) => Place::Held(run.serial),
            (_, _, Some(next)) => Place::Due(next),
            _ => Place::Nowhere,
        }
    }
}

/// All schedules of a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timetable {
    entries: BTreeMap<Bytes, Box<Entry>>,
    due: BTreeSet<(UnixMs, Bytes)>,
    /// By the job that they wait for.
    held: BTreeSet<(Serial, Bytes)>,
    /// Bytes of all entries.
    weight: usize,
}

impl Timetable {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.get(name).map(|entry| &**entry)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &Entry)> {
        self.entries.iter().map(|(name, entry)| (&**name, &**entry))
    }

    /// When the next one is due.
    pub fn first_due(&self) -> Option<UnixMs> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those that are due by `now`, the earliest first.
    pub fn due(&self, now: UnixMs) -> impl Iterator<Item = (&[u8], &Entry)> {
        let due = self.due.iter().take_while(move |(at, _)| *at <= now);
        due.filter_map(|(_, name)| Some((&**name, self.get(name)?)))
    }

    /// Adds a schedule or replaces one.
    pub fn put(&mut self, name: Bytes, entry: Entry) {
        self.remove(&name);
        self.weight += weight(&name, &entry);
        self.enter(&name, entry.place());
        self.entries.insert(name, Box::new(entry));
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some(entry) = self.entries.remove(name) {
            self.leave(name, entry.place());
            self.weight -= weight(name, &entry);
        }
    }

    /// Changes where a schedule stands, not what it says.
    pub fn change(&mut self, name: &[u8], change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let before = entry.place();
        change(entry);
        let after = entry.place();
        if before != after {
            self.leave(name, before);
            self.enter(name, after);
        }
    }

    /// A job has ended: what waited for it is due.
    pub fn ended(&mut self, serial: Serial) {
        if self.held.is_empty() {
            return;
        }
        while let Some((_, name)) = self.held.range((serial, Bytes::default())..).next().cloned()
            && self.get(&name).is_some_and(|entry| entry.place() == Place::Held(serial))
        {
            self.change(&name, |entry| entry.held = false);
        }
    }

    /// The jobs that are waited for.
    pub fn waited_for(&self) -> Vec<Serial> {
        self.held.iter().map(|(serial, _)| *serial).collect()
    }

    /// Bytes that it takes, roughly.
    pub fn memory(&self) -> usize {
        self.weight
    }

    fn enter(&mut self, name: &[u8], place: Place) {
        match place {
            Place::Due(at) => _ = self.due.insert((at, name.into())),
            Place::Held(serial) => _ = self.held.insert((serial, name.into())),
            Place::Nowhere => {}
        }
    }

    fn leave(&mut self, name: &[u8], place: Place) {
        match place {
            Place::Due(at) => _ = self.due.remove(&(at, name.into())),
            Place::Held(serial) => _ = self.held.remove(&(serial, name.into())),
            Place::Nowhere => {}
        }
    }
}

/// An entry with its name, which stands in two indexes.
fn weight(name: &[u8], entry: &Entry) -> usize {
    size_of::<Entry>() + entry.terms.weight() + 2 * (name.len() + 60)
}
