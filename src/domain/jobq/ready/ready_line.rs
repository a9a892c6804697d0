//! The line of jobs that are ready: those without a group, and each group by itself.
//!
//! The lowest rank over the whole queue goes first. Among the groups that have a job of that rank, and
//! the jobs without a group as one more participant, the one goes first that was served longest ago.
//!
//! A job that was begun and waits for its next run holds its place in its group, so that the next one
//! does not overtake it; it is handed out before those of its group that have not begun.

use crate::domain::jobq::ready::group_ring::{Ring, Row, Turn};
use crate::domain::jobq::ready::priority_lanes::{Lanes, Place, Rank, Spot, serial};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

/// How many lanes are looked at for the job that has been ready longest.
const LOOKED_AT: usize = 1_000;

/// How many jobs are passed over while it is looked for.
const PASSED_OVER: usize = 10_000;

/// Where a ready job stands, so that those behind it can be found though it has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// `None` comes before all groups.
    pub group: Option<Box<[u8]>>,
    /// Begun jobs come before the fresh ones of their group.
    pub begun: bool,
    pub rank: Rank,
    pub place: Place,
}

/// One group: its jobs that are ready, and those that hold its places.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Ready, never begun.
    pub fresh: Lanes,
    /// Ready for a further run.
    pub begun: Lanes,
    /// Begun and not ended: active, delayed or ready.
    pub holders: BTreeSet<Serial>,
    pub active: u32,
    pub turn: Turn,
}

impl Group {
    fn is_over(&self) -> bool {
        self.fresh.is_empty() && self.begun.is_empty() && self.holders.is_empty()
    }

    pub fn held(&self) -> u32 {
        u32::try_from(self.holders.len()).unwrap_or(u32::MAX)
    }

    fn rows(&self) -> [Option<Row>; 2] {
        let row = |lanes: &Lanes, taken| lanes.first_rank().map(|rank| (taken, (rank, self.turn)));
        [row(&self.fresh, self.held()), row(&self.begun, self.active)]
    }
}

/// What a job is to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub group: Arc<[u8]>,
    /// It holds one of the group's places.
    pub begun: bool,
    pub active: bool,
}

/// What a job is to the line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stance {
    /// Where it stands while it is ready.
    pub spot: Option<Spot>,
    pub member: Option<Member>,
}

impl Stance {
    /// The group that has to know of it: not of one that is neither ready nor begun.
    fn group(&self) -> Option<&Arc<[u8]>> {
        let member = self.member.as_ref().filter(|member| member.begun || self.spot.is_some())?;
        Some(&member.group)
    }
}

impl Group {
    fn enter(&mut self, serial: Serial, stance: &Stance) {
        let Some(member) = &stance.member else { return };
        if member.begun {
            self.holders.insert(serial);
        }
        self.active += u32::from(member.active);
        if let Some(spot) = stance.spot {
            self.lanes(member.begun).insert(spot);
        }
    }

    fn leave(&mut self, serial: Serial, stance: &Stance) {
        let Some(member) = &stance.member else { return };
        if member.begun {
            self.holders.remove(&serial);
        }
        self.active -= u32::from(member.active);
        if let Some(spot) = stance.spot {
            self.lanes(member.begun).remove(spot);
        }
    }

    fn lanes(&mut self, begun: bool) -> &mut Lanes {
        if begun { &mut self.begun } else { &mut self.fresh }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The jobs without a group.
    pub alone: Lanes,
    /// When one of those was served last.
    pub alone_turn: Turn,
    groups: BTreeMap<Arc<[u8]>, Group>,
    /// Groups with a fresh job, by how many of their places are held.
    pub fresh: Ring,
    /// Groups with a begun job that is ready, by how many of theirs are active.
    pub begun: Ring,
    /// Of the one that was served, or joined, last; the first is 1.
    pub last_turn: Turn,
    /// The turns of groups whose jobs are still to be loaded.
    promised: BTreeMap<Box<[u8]>, Turn>,
    ready: usize,
}

impl Line {
    /// How many jobs are ready.
    pub fn len(&self) -> usize {
        self.ready
    }

    /// All jobs that are ready: those without a group, then group by group.
    pub fn serials(&self) -> impl Iterator<Item = Serial> {
        let groups = self.groups.values().flat_map(|group| group.begun.iter().chain(group.fresh.iter()));
        self.alone.iter().chain(groups).map(|(_, serial)| serial)
    }

    /// The jobs that stand behind a mark, each with its own: those without a group in the order of POP, then
    /// group by group. `only` leaves out what is not of one group.
    pub fn after<'l>(
        &'l self,
        mark: Option<Mark>,
        only: Option<&[u8]>,
    ) -> impl Iterator<Item = (Mark, Serial)> + use<'l> {
        let alone = match &mark {
            _ if only.is_some() => None,
            None => Some(self.alone.after(None)),
            Some(mark) if mark.group.is_none() => Some(self.alone.after(Some((mark.rank, mark.place)))),
            Some(_) => None,
        };
        let alone = alone.into_iter().flatten().map(|(rank, place)| (None, false, rank, place));
        // Within the group of the mark what stands behind it, of the others all.
        let begin = mark.as_ref().and_then(|mark| mark.group.as_deref()).or(only);
        let end = only.map_or(Unbounded, Included);
        let groups = self.groups.range::<[u8], _>((begin.map_or(Unbounded, Included), end));
        let groups = groups.flat_map(move |(name, group)| {
            let mark = mark.as_ref().filter(|mark| mark.group.as_deref() == Some(&**name));
            let at = mark.map(|mark| (mark.rank, mark.place));
            let past_begun = mark.is_some_and(|mark| !mark.begun);
            let begun = (!past_begun).then(|| group.begun.after(at)).into_iter().flatten();
            let fresh = group.fresh.after(at.filter(|_| past_begun));
            let of = |begun| move |(rank, place)| (Some(name), begun, rank, place);
            begun.map(of(true)).chain(fresh.map(of(false)))
        });
        alone.chain(groups).map(|(group, begun, rank, place)| {
            let group = group.map(|name: &Arc<[u8]>| Box::from(&**name));
            (Mark { group, begun, rank, place }, serial(place))
        })
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups that have jobs which are ready or under way, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// A job moves from one stance to another; [`Stance::default`] is to be outside. One that is `served` is handed
    /// out: the others than its group, or than those without one, come first now.
    pub fn moves(&mut self, serial: Serial, from: &Stance, to: &Stance, served: bool) {
        self.last_turn += u64::from(served);
        let turn = self.last_turn;
        match (from.group(), to.group()) {
            // In one step, so that a group does not go and come back with another turn.
            (Some(before), Some(after)) if before == after => self.regroup(after, |group| {
                group.leave(serial, from);
                group.enter(serial, to);
                if served {
                    group.turn = turn;
                }
            }),
            (before, after) => {
                match before {
                    Some(name) => self.regroup(name, |group| group.leave(serial, from)),
                    None => _ = from.spot.map(|spot| self.alone.remove(spot)),
                }
                match after {
                    Some(name) => self.regroup(name, |group| group.enter(serial, to)),
                    None => _ = to.spot.map(|spot| self.alone.insert(spot)),
                }
            }
        }
        if served && to.group().is_none() {
            self.alone_turn = turn;
        }
        self.ready += usize::from(to.spot.is_some());
        self.ready -= usize::from(from.spot.is_some());
    }

    /// Changes a group, and seats it where it then belongs.
    fn regroup(&mut self, name: &Arc<[u8]>, change: impl FnOnce(&mut Group)) {
        let mut entry = loop {
            match self.groups.entry(Arc::clone(name)) {
                Entry::Occupied(known) => break known,
                Entry::Vacant(place) => {
                    let turn = self.promised.remove(&**name).unwrap_or_else(|| {
                        self.last_turn += 1;
                        self.last_turn
                    });
                    place.insert(Group { turn, ..Group::default() });
                }
            }
        };
        let group = entry.get_mut();
        let before = group.rows();
        change(group);
        let (after, over) = (group.rows(), group.is_over());
        self.fresh.reseat(name, before[0], after[0]);
        self.begun.reseat(name, before[1], after[1]);
        if over {
            entry.remove();
        }
    }

    /// While loading: the turn of a group whose jobs come later. False for one that was promised already.
    pub fn promise(&mut self, name: &[u8], turn: Turn) -> bool {
        !self.groups.contains_key(name) && self.promised.insert(name.into(), turn).is_none()
    }

    /// Whether all turns are different, and every promised group has come.
    pub fn is_sound(&self) -> bool {
        let turns: BTreeSet<Turn> = self.groups.values().map(|group| group.turn).collect();
        turns.len() == self.groups.len()
            && turns.last().is_none_or(|last| *last <= self.last_turn)
            && self.promised.is_empty()
    }

    /// How many lanes there are, each of which takes memory of its own.
    pub fn lanes(&self) -> usize {
        // A group has two at least in mind: one for its jobs and one for its places.
        self.alone.len() + 2 * self.groups.len()
    }

    /// Since when the job waits that has been ready longest, among those of the first 1,000 priorities and
    /// groups. Those that do not count are passed over, the first 10,000 of them.
    pub fn oldest(&self, counts: impl Fn(Serial) -> bool) -> Option<UnixMs> {
        let left = Cell::new(PASSED_OVER);
        let counts = |serial| {
            let counted = left.get() == 0 || counts(serial);
            left.set(left.get() - usize::from(!counted));
            counted
        };
        let of_group = |group: &Group| [group.fresh.oldest(counts), group.begun.oldest(counts)];
        let groups = self.groups.values().take(LOOKED_AT).flat_map(of_group);
        groups.chain([self.alone.oldest(counts)]).flatten().min()
    }
}
