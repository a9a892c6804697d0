//! What is set for single groups, and what they have used of `group_rate`.

use crate::domain::jobq::state::pause::Pause;
use crate::domain::ratelimit::Subject;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

/// How many groups of a queue may have settings of their own.
pub const MAX_OWN_GROUPS: usize = 10_000;

/// One group, where it differs from the queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupControl {
    /// How many runs it may have under way; `None` is as the queue says.
    pub concurrency: Option<u32>,
    pub pause: Option<Pause>,
    /// What it has used of `group_rate`.
    pub rate: Subject,
    /// No job of it is handed out.
    pub is_closed: bool,
    /// When it opens again by itself. Only while it is closed.
    pub opens_at: Option<UnixMs>,
    /// When what it has used of `group_rate` no longer counts.
    pub lapses_at: Option<UnixMs>,
}

impl GroupControl {
    /// Whether an operator has set something for the group.
    pub fn is_set(&self) -> bool {
        self.concurrency.is_some() || self.pause.is_some()
    }

    fn is_needed(&self) -> bool {
        self.is_set() || self.lapses_at.is_some() || self.is_closed
    }
}

/// The groups of a queue that differ from it, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupControls {
    by_name: BTreeMap<Arc<[u8]>, GroupControl>,
    /// When a closed group opens.
    opening: BTreeSet<(UnixMs, Arc<[u8]>)>,
    /// When the use of a group lapses.
    lapsing: BTreeSet<(UnixMs, Arc<[u8]>)>,
    /// How many an operator has set something for.
    set: usize,
    /// `group_rate` has changed: the groups from this name on are still judged by the old one.
    pub recheck_from: Option<Box<[u8]>>,
}

impl GroupControls {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn set_count(&self) -> usize {
        self.set
    }

    pub fn get(&self, name: &[u8]) -> Option<&GroupControl> {
        self.by_name.get(name)
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Arc<[u8]>, &GroupControl)> {
        self.by_name.iter()
    }

    /// Those behind a name.
    pub fn after(&self, name: Option<&[u8]>) -> impl Iterator<Item = (&Arc<[u8]>, &GroupControl)> {
        self.by_name.range::<[u8], _>((name.map_or(Unbounded, Excluded), Unbounded))
    }

    /// The first name from this one on.
    pub fn first_from(&self, name: &[u8]) -> Option<&Arc<[u8]>> {
        self.by_name.range::<[u8], _>((Included(name), Unbounded)).next().map(|(name, _)| name)
    }

    /// The closed group that opens first.
    pub fn first_to_open(&self) -> Option<&(UnixMs, Arc<[u8]>)> {
        self.opening.first()
    }

    /// The group whose use lapses first.
    pub fn first_to_lapse(&self) -> Option<&(UnixMs, Arc<[u8]>)> {
        self.lapsing.first()
    }

    /// Changes a group, which is forgotten when it does not differ from the queue afterwards.
    /// Returns its width and whether it is closed.
    pub fn change(
        &mut self,
        name: &Arc<[u8]>,
        change: impl FnOnce(&mut GroupControl),
    ) -> (Option<u32>, bool) {
        let control = self.by_name.entry(Arc::clone(name)).or_default();
        let before = (control.is_set(), control.opens_at, control.lapses_at);
        change(control);
        let after = (control.is_set(), control.opens_at, control.lapses_at);
        let left = (control.concurrency, control.is_closed);
        if !control.is_needed() {
            self.by_name.remove(name);
        }
        self.set = self.set + usize::from(after.0) - usize::from(before.0);
        move_time(&mut self.opening, name, before.1, after.1);
        move_time(&mut self.lapsing, name, before.2, after.2);
        left
    }

    /// Bytes, roughly.
    pub fn memory(&self) -> usize {
        self.by_name.len() * (size_of::<GroupControl>() + 250)
    }
}

fn move_time(
    times: &mut BTreeSet<(UnixMs, Arc<[u8]>)>,
    name: &Arc<[u8]>,
    before: Option<UnixMs>,
    after: Option<UnixMs>,
) {
    if before != after {
        before.map(|at| times.remove(&(at, Arc::clone(name))));
        times.extend(after.map(|at| (at, Arc::clone(name))));
    }
}
