//! The schedules that a queue keeps, in the order in which they are due.

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::state::new_job::NewJob;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};

type Bytes = Box<[u8]>;

/// The most schedules of a queue.
pub const MAX_SCHEDULES: usize = 1_000;
/// A schedule's name is at most this long: with the time of a run it makes an id.
pub const MAX_SCHEDULE_NAME_BYTES: usize = 100;

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

/// START, END and RUNS: between which times a schedule is due, and how many runs it makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunBounds {
    /// No run is due before this time. An interval is counted from it.
    pub start: Option<UnixMs>,
    /// No run is due after this time.
    pub end: Option<UnixMs>,
    /// The number of runs after which there is no other.
    pub max_runs: Option<u64>,
}

/// What a schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// As it was given.
    pub pattern: Bytes,
    /// The name of the time zone as the database writes it. Kept as text, because the server that
    /// loads it may have another database.
    pub zone: Bytes,
    pub catch_up: CatchUp,
    /// A run is made though the last one is unfinished.
    pub overlap: bool,
    pub bounds: RunBounds,
    /// What every run pushes, but for the id and the time.
    pub job: NewJob,
}

impl ScheduleSpec {
    /// Whether both are due at the same times, as long as neither has ended.
    pub(crate) fn has_same_times(&self, other: &ScheduleSpec) -> bool {
        (&self.pattern, &self.zone, self.bounds.start) == (&other.pattern, &other.zone, other.bounds.start)
    }

    /// Whether a schedule that has made `made` runs may make another.
    pub(crate) fn has_runs_left(&self, made: u64) -> bool {
        self.bounds.max_runs.is_none_or(|max| made < max)
    }

    /// What the pattern says; `None` if this build no longer knows the pattern or the zone.
    pub(crate) fn recurrence(&self) -> Option<Recurrence> {
        Recurrence::parse(&self.pattern, Zone::named(&self.zone)?).ok()
    }

    /// The first time after `now` at which the schedule is due, from START to END. Without START,
    /// an interval is counted from `set_at`.
    pub(crate) fn next_due(&self, recurrence: &Recurrence, now: UnixMs, set_at: UnixMs) -> Option<UnixMs> {
        let RunBounds { start, end, .. } = self.bounds;
        let now = start.map_or(now, |start| now.max(start.saturating_sub(1)));
        let due = recurrence.next_after(now, start.unwrap_or(set_at))?;
        Some(due).filter(|due| end.is_none_or(|end| *due <= end))
    }

    fn memory_bytes(&self) -> usize {
        let parts = [&self.job.name, &self.job.meta].into_iter().flatten().map(|part| part.len());
        let backoff = self.job.backoff.as_ref().map_or(0, |backoff| backoff.memory_bytes());
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

/// What a schedule has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// The number of runs that it has made at their times, late or not.
    pub made: u64,
    /// The number of missed runs that it has made one after the other.
    pub behind: u32,
    /// Every run that was due up to this time counts as missed. 0 if none does.
    pub missed_until: UnixMs,
}

/// A schedule and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    pub spec: ScheduleSpec,
    /// When it is due; `None` when it never will be again.
    pub next: Option<UnixMs>,
    pub last: Option<Run>,
    /// When a SET gave it its times.
    pub set_at: UnixMs,
    pub progress: RunProgress,
    /// It is due, and waits for its last run to end.
    pub held: bool,
}

/// The index that holds an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SchedulePosition {
    Due(UnixMs),
    Held(Serial),
    NotIndexed,
}

impl ScheduleEntry {
    /// What stays when a SET at `now` gives it another spec: since when it has its times, and its
    /// progress. While the pattern is the same, the runs that it has made count.
    pub(crate) fn kept_by(&self, spec: &ScheduleSpec, now: UnixMs) -> (UnixMs, RunProgress) {
        if self.spec.has_same_times(spec) {
            return (self.set_at, self.progress);
        }
        let made = if self.spec.pattern == spec.pattern { self.progress.made } else { 0 };
        (now, RunProgress { made, ..RunProgress::default() })
    }

    fn position(&self) -> SchedulePosition {
        match (self.held, self.last, self.next) {
            (true, Some(run), _) => SchedulePosition::Held(run.serial),
            (_, _, Some(next)) => SchedulePosition::Due(next),
            _ => SchedulePosition::NotIndexed,
        }
    }
}

/// All schedules of a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schedules {
    entries: BTreeMap<Bytes, Box<ScheduleEntry>>,
    due: BTreeSet<(UnixMs, Bytes)>,
    /// By the job that they wait for.
    held: BTreeSet<(Serial, Bytes)>,
    /// Bytes of all entries.
    memory_bytes: usize,
}

impl Schedules {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn get(&self, name: &[u8]) -> Option<&ScheduleEntry> {
        self.entries.get(name).map(|entry| &**entry)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], &ScheduleEntry)> {
        self.entries.iter().map(|(name, entry)| (&**name, &**entry))
    }

    /// When the next one is due.
    pub fn first_due(&self) -> Option<UnixMs> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those that are due by `now`, the earliest first.
    pub fn due(&self, now: UnixMs) -> impl Iterator<Item = (&[u8], &ScheduleEntry)> {
        let due = self.due.iter().take_while(move |(at, _)| *at <= now);
        due.filter_map(|(_, name)| Some((&**name, self.get(name)?)))
    }

    /// Adds a schedule or replaces one.
    pub fn put(&mut self, name: Bytes, entry: ScheduleEntry) {
        self.remove(&name);
        self.memory_bytes += memory_bytes(&name, &entry);
        self.index(&name, entry.position());
        self.entries.insert(name, Box::new(entry));
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some(entry) = self.entries.remove(name) {
            self.unindex(name, entry.position());
            self.memory_bytes -= memory_bytes(name, &entry);
        }
    }

    /// Changes the progress of a schedule, not its definition.
    pub fn change(&mut self, name: &[u8], change: impl FnOnce(&mut ScheduleEntry)) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let before = entry.position();
        change(entry);
        let after = entry.position();
        if before != after {
            self.unindex(name, before);
            self.index(name, after);
        }
    }

    /// A job has ended: schedules that waited for it are due.
    pub fn release_held_by(&mut self, serial: Serial) {
        if self.held.is_empty() {
            return;
        }
        while let Some((_, name)) = self.held.range((serial, Bytes::default())..).next().cloned()
            && self.get(&name).is_some_and(|entry| entry.position() == SchedulePosition::Held(serial))
        {
            self.change(&name, |entry| entry.held = false);
        }
    }

    /// The jobs that are waited for.
    pub fn runs_waited_for(&self) -> Vec<Serial> {
        self.held.iter().map(|(serial, _)| *serial).collect()
    }

    /// Bytes that it takes, roughly.
    pub fn memory(&self) -> usize {
        self.memory_bytes
    }

    fn index(&mut self, name: &[u8], position: SchedulePosition) {
        match position {
            SchedulePosition::Due(at) => _ = self.due.insert((at, name.into())),
            SchedulePosition::Held(serial) => _ = self.held.insert((serial, name.into())),
            SchedulePosition::NotIndexed => {}
        }
    }

    fn unindex(&mut self, name: &[u8], position: SchedulePosition) {
        match position {
            SchedulePosition::Due(at) => _ = self.due.remove(&(at, name.into())),
            SchedulePosition::Held(serial) => _ = self.held.remove(&(serial, name.into())),
            SchedulePosition::NotIndexed => {}
        }
    }
}

/// The memory of an entry with its name, which is in two indexes.
fn memory_bytes(name: &[u8], entry: &ScheduleEntry) -> usize {
    size_of::<ScheduleEntry>() + entry.spec.memory_bytes() + 2 * (name.len() + 60)
}
