//! The ready queue: jobs without a group, and the jobs of each group.
//!
//! The lowest rank over the whole queue goes first. Among the groups that have a job of that rank
//! the group that was served longest ago goes first. All jobs without a group count as one more
//! such group.
//!
//! A started job that waits for its next attempt keeps its slot in the group, so that the next job
//! does not overtake it. It is handed out before the jobs of its group that have not started.

use crate::domain::jobq::MAX_REPLY_BYTES;
use crate::domain::jobq::ready::batches::{Batch, BatchId, Batches};
use crate::domain::jobq::ready::group_index::{
    FULL_OF_BYTES, GroupIndex, GroupPosition, RingPosition, RunBounds, TurnNumber,
};
use crate::domain::jobq::ready::priority_lanes::{LanePosition, OrderKey, PriorityLanes, Rank, serial};
use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

/// How many groups are looked at for the job that has been ready longest.
const SCAN_LIMIT: usize = 1_000;

/// How many jobs are passed over while it is looked for.
const SKIP_LIMIT: usize = 10_000;

/// The position of a ready job. The jobs behind it can be found even when it has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadyCursor {
    /// `None` comes before all groups.
    pub group: Option<Box<[u8]>>,
    /// Begun jobs come before the fresh ones of their group.
    pub started: bool,
    pub rank: Rank,
    pub place: OrderKey,
}

/// Where a group differs from the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GroupRule {
    /// How many slots it has; `None` is as the queue says.
    pub width: Option<u32>,
    /// None of its jobs is handed out.
    pub is_closed: bool,
}

/// One group: its jobs that are ready, and those that hold its places.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Ready, never begun.
    pub unstarted: PriorityLanes,
    /// Ready for a further run.
    pub started: PriorityLanes,
    /// Those of `started` that a POP may take: no job of their batch is active.
    pub startable: PriorityLanes,
    /// Begun and not ended: active, delayed or ready.
    pub slot_holders: BTreeSet<Serial>,
    /// Those of `slot_holders` that share slots.
    pub batches: Option<Box<Batches>>,
    /// How many are active that share their slots with no other.
    active_alone: u32,
    pub turn: TurnNumber,
    pub rule: GroupRule,
}

impl Group {
    fn is_over(&self) -> bool {
        self.unstarted.is_empty() && self.started.is_empty() && self.slot_holders.is_empty()
    }

    /// How many of its jobs are ready, counted up to 10,000.
    pub fn ready(&self) -> usize {
        self.started.iter().chain(self.unstarted.iter()).take(SKIP_LIMIT).count()
    }

    /// How many slots are held; a batch holds one.
    pub fn held(&self) -> u32 {
        let saved = self.batches.as_ref().map_or(0, |batches| batches.slots_saved());
        u32::try_from(self.slot_holders.len() - saved).unwrap_or(u32::MAX)
    }

    /// How many runs are under way; a batch is one.
    pub fn active(&self) -> u32 {
        self.active_alone + self.batches.as_ref().map_or(0, |batches| batches.active())
    }

    fn unserved_groups(&self) -> [Option<RingPosition>; 2] {
        if self.rule.is_closed {
            return [None, None];
        }
        // The index compares with the queue's limit. A group with a width of its own is below any
        // limit while it has a slot, and not in the index while it has none.
        let place = |taken| match self.rule.width {
            None => Some(taken),
            Some(width) if taken < width => Some(0),
            Some(_) => None,
        };
        let at = |lanes: &PriorityLanes, taken, run: fn(&Group) -> RunBounds| {
            let (rank, taken) = (lanes.first_rank()?, place(taken)?);
            Some(RingPosition { taken, position: (rank, self.turn), run: run(self) })
        };
        [
            at(&self.unstarted, self.held(), Group::unstarted_run),
            at(&self.startable, self.active(), Group::started_run),
        ]
    }

    /// Its places among the groups that hold fewer than `limit` slots, as the index has them.
    fn places(&self, limit: u32) -> impl Iterator<Item = RingPosition> {
        self.unserved_groups().into_iter().flatten().filter(move |place| place.taken < limit)
    }

    /// When its turn is; `None` while it has no slot.
    pub fn position(&self, limit: u32) -> Option<GroupPosition> {
        self.places(limit).map(|place| place.position).min()
    }

    /// See [`RunBounds::may_have`].
    pub fn may_have_run(&self, limit: u32, size: u32, since: UnixMs) -> bool {
        self.places(limit).any(|place| place.run.may_have(size, since))
    }

    fn unstarted_run(&self) -> RunBounds {
        let jobs = &self.unstarted;
        run_bounds(jobs.jobs(), jobs.bytes(), jobs.oldest(|_| true))
    }

    /// Of a run that begins with a retry: it takes the jobs that share the slot, and further ones
    /// unless another job holds on to the slot.
    fn started_run(&self) -> RunBounds {
        let batches = self.batches.as_ref();
        let first = self.startable.iter().next().map(|(_, serial)| serial);
        let batch = batches.zip(first).and_then(|(batches, first)| batches.get(batches.id_of(first)?));
        let retries = batch.map_or(1, Batch::ready_jobs);
        let further = batch.is_none_or(Batch::is_whole).then_some(&self.unstarted);
        let lanes = || [&self.startable].into_iter().chain(further);
        run_bounds(
            retries + further.map_or(0, PriorityLanes::jobs),
            lanes().map(PriorityLanes::bytes).sum(),
            lanes().filter_map(|lanes| lanes.oldest(|_| true)).min(),
        )
    }
}

fn run_bounds(jobs: usize, bytes: usize, oldest: Option<UnixMs>) -> RunBounds {
    let is_full = bytes >= MAX_REPLY_BYTES;
    let size = if is_full { FULL_OF_BYTES } else { u32::try_from(jobs).unwrap_or(u32::MAX - 1) };
    RunBounds { size, oldest: oldest.unwrap_or(UnixMs::MAX) }
}

/// What a job is to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupMembership {
    pub group: Arc<[u8]>,
    /// It holds one of the group's places.
    pub started: bool,
    pub active: bool,
    /// The batch with which it shares its slot, 0 for none.
    pub batch: BatchId,
}

/// What a job is to the line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadyPosition {
    /// Its position while it is ready.
    pub lane_position: Option<LanePosition>,
    pub member: Option<GroupMembership>,
}

impl ReadyPosition {
    /// The group that keeps the job: only if the job is ready or started.
    fn group(&self) -> Option<&Arc<[u8]>> {
        let member = self.member.as_ref().filter(|member| member.started || self.lane_position.is_some())?;
        Some(&member.group)
    }
}

impl Group {
    fn add(&mut self, serial: Serial, ready_position: &ReadyPosition) {
        let Some(member) = &ready_position.member else { return };
        if member.started {
            self.slot_holders.insert(serial);
        }
        let ready = ready_position.lane_position;
        if let Some(lane_position) = ready {
            self.lanes(member.started).insert(lane_position);
        }
        if member.started && member.batch > 0 {
            let batches = self.batches.get_or_insert_default();
            return batches.add(serial, (member.batch, member.active), ready, &mut self.startable);
        }
        self.active_alone += u32::from(member.active);
        if let Some(lane_position) = ready.filter(|_| member.started) {
            self.startable.insert(lane_position);
        }
    }

    fn remove_job(&mut self, serial: Serial, ready_position: &ReadyPosition) {
        let Some(member) = &ready_position.member else { return };
        if member.started {
            self.slot_holders.remove(&serial);
        }
        let ready = ready_position.lane_position;
        if let Some(lane_position) = ready {
            self.lanes(member.started).remove(lane_position);
        }
        if member.started && member.batch > 0 {
            if let Some(batches) = &mut self.batches {
                batches.remove(serial, member.active, ready, &mut self.startable);
            }
            self.batches.take_if(|batches| batches.is_empty());
            return;
        }
        self.active_alone -= u32::from(member.active);
        if let Some(lane_position) = ready.filter(|_| member.started) {
            self.startable.remove(lane_position);
        }
    }

    fn lanes(&mut self, started: bool) -> &mut PriorityLanes {
        if started { &mut self.started } else { &mut self.unstarted }
    }
}

#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    /// The jobs without a group.
    pub ungrouped: PriorityLanes,
    /// When one of those was served last.
    pub ungrouped_turn: TurnNumber,
    groups: BTreeMap<Arc<[u8]>, Group>,
    /// Of the groups that differ from the others.
    rules: BTreeMap<Arc<[u8]>, GroupRule>,
    /// Groups with a fresh job, by how many of their places are held.
    pub unstarted: GroupIndex,
    /// Groups with a begun job that is ready, by how many of theirs are active.
    pub started: GroupIndex,
    /// Of the one that was served, or joined, last; the first is 1.
    pub last_turn: TurnNumber,
    /// The turns of groups whose jobs are still to be loaded.
    preloaded_turns: BTreeMap<Box<[u8]>, TurnNumber>,
    ready: usize,
    /// Of the payloads of those that are ready.
    bytes: usize,
    /// How many groups have a width of their own.
    own_widths: usize,
}

impl ReadyQueue {
    /// How many jobs are ready.
    pub fn len(&self) -> usize {
        self.ready
    }

    /// How many bytes of payload they have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many jobs of groups a POP may take at the most, as far as the groups' slots go.
    pub fn most_of_groups(&self, limit: Option<u32>) -> usize {
        let ready = self.ready - self.ungrouped.jobs();
        let Some(limit) = limit.filter(|_| self.own_widths == 0) else { return ready };
        let counts = self.unstarted.counts(limit).chain(self.started.counts(limit));
        let free = counts.map(|(taken, groups)| groups.saturating_mul((limit - taken) as usize));
        free.fold(0, usize::saturating_add).min(ready)
    }

    /// The first groups whose next run may have so many jobs, or one that has been ready since
    /// `since`; some come twice.
    pub fn with_runs(&self, limit: u32, size: u32, since: UnixMs) -> impl Iterator<Item = &Arc<[u8]>> {
        self.started.with_runs(limit, size, since).chain(self.unstarted.with_runs(limit, size, since))
    }

    /// Since when the job of a group waits that has waited longest, of those that became ready
    /// after `since`. It may be one that its group does not let go next.
    pub fn oldest_of_groups(&self, limit: u32, since: Option<UnixMs>) -> Option<UnixMs> {
        let of = |index: &GroupIndex| index.oldest_after(limit, since);
        of(&self.started).into_iter().chain(of(&self.unstarted)).min()
    }

    /// All jobs that are ready: those without a group, then group by group.
    pub fn serials(&self) -> impl Iterator<Item = Serial> {
        let groups =
            self.groups.values().flat_map(|group| group.started.iter().chain(group.unstarted.iter()));
        self.ungrouped.iter().chain(groups).map(|(_, serial)| serial)
    }

    /// The jobs behind a cursor, each with its own: jobs without a group in the order of POP, then
    /// group by group. `only` selects one group.
    pub fn after<'l>(
        &'l self,
        mark: Option<ReadyCursor>,
        only: Option<&[u8]>,
    ) -> impl Iterator<Item = (ReadyCursor, Serial)> + use<'l> {
        let ungrouped = match &mark {
            _ if only.is_some() => None,
            None => Some(self.ungrouped.after(None)),
            Some(mark) if mark.group.is_none() => Some(self.ungrouped.after(Some((mark.rank, mark.place)))),
            Some(_) => None,
        };
        let ungrouped = ungrouped.into_iter().flatten().map(|(rank, place)| (None, false, rank, place));
        // In the cursor's group the jobs behind it, in the other groups all jobs.
        let begin = mark.as_ref().and_then(|mark| mark.group.as_deref()).or(only);
        let end = only.map_or(Unbounded, Included);
        let groups = self.groups.range::<[u8], _>((begin.map_or(Unbounded, Included), end));
        let groups = groups.flat_map(move |(name, group)| {
            let mark = mark.as_ref().filter(|mark| mark.group.as_deref() == Some(&**name));
            let at = mark.map(|mark| (mark.rank, mark.place));
            let past_started = mark.is_some_and(|mark| !mark.started);
            let started = (!past_started).then(|| group.started.after(at)).into_iter().flatten();
            let unstarted = group.unstarted.after(at.filter(|_| past_started));
            let of = |started| move |(rank, place)| (Some(name), started, rank, place);
            started.map(of(true)).chain(unstarted.map(of(false)))
        });
        ungrouped.chain(groups).map(|(group, started, rank, place)| {
            let group = group.map(|name: &Arc<[u8]>| Box::from(&**name));
            (ReadyCursor { group, started, rank, place }, serial(place))
        })
    }

    /// The jobs before a cursor, each with its own, in the reverse order of [`ReadyQueue::after`].
    pub fn before<'l>(
        &'l self,
        cursor: Option<ReadyCursor>,
        only: Option<&[u8]>,
    ) -> impl Iterator<Item = (ReadyCursor, Serial)> + use<'l> {
        let ungrouped_cursor = cursor.as_ref().filter(|cursor| cursor.group.is_none());
        let ungrouped_at = ungrouped_cursor.map(|cursor| (cursor.rank, cursor.place));
        let in_groups = ungrouped_cursor.is_none();
        let ungrouped = only.is_none().then(|| self.ungrouped.before(ungrouped_at)).into_iter().flatten();
        let ungrouped = ungrouped.map(|(rank, place)| (None, false, rank, place));
        let end = cursor.as_ref().and_then(|cursor| cursor.group.as_deref()).or(only);
        let start = only.map_or(Unbounded, Included);
        let groups = self.groups.range::<[u8], _>((start, end.map_or(Unbounded, Included))).rev();
        let groups = groups.filter(move |_| in_groups).flat_map(move |(name, group)| {
            let cursor = cursor.as_ref().filter(|cursor| cursor.group.as_deref() == Some(&**name));
            let at = cursor.map(|cursor| (cursor.rank, cursor.place));
            let in_started = cursor.is_some_and(|cursor| cursor.started);
            let unstarted = (!in_started).then(|| group.unstarted.before(at)).into_iter().flatten();
            let started = group.started.before(at.filter(|_| in_started));
            let of = |started| move |(rank, place)| (Some(name), started, rank, place);
            unstarted.map(of(false)).chain(started.map(of(true)))
        });
        groups.chain(ungrouped).map(|(group, started, rank, place)| {
            let group = group.map(|name: &Arc<[u8]>| Box::from(&**name));
            (ReadyCursor { group, started, rank, place }, serial(place))
        })
    }

    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups that have jobs which are ready or under way, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// Moves a job from one position to another; [`ReadyPosition::default`] is outside of the
    /// queue. `served` means that a POP hands it out: its group, or the jobs without a group, then
    /// go to the end of the round.
    pub fn reposition(&mut self, serial: Serial, from: &ReadyPosition, to: &ReadyPosition, served: bool) {
        self.last_turn += u64::from(served);
        let turn = self.last_turn;
        match (from.group(), to.group()) {
            // In one step, so that a group does not go and come back with another turn.
            (Some(before), Some(after)) if before == after => self.regroup(after, |group| {
                group.remove_job(serial, from);
                group.add(serial, to);
                if served {
                    group.turn = turn;
                }
            }),
            (before, after) => {
                match before {
                    Some(name) => self.regroup(name, |group| group.remove_job(serial, from)),
                    None => _ = from.lane_position.map(|lane_position| self.ungrouped.remove(lane_position)),
                }
                match after {
                    Some(name) => self.regroup(name, |group| group.add(serial, to)),
                    None => _ = to.lane_position.map(|lane_position| self.ungrouped.insert(lane_position)),
                }
            }
        }
        if served && to.group().is_none() {
            self.ungrouped_turn = turn;
        }
        let count = |at: &ReadyPosition| at.lane_position.map_or((0, 0), |at| (1, at.bytes as usize));
        let (before, after) = (count(from), count(to));
        self.ready = self.ready + after.0 - before.0;
        self.bytes = self.bytes + after.1 - before.1;
    }

    /// Changes a group and moves it to its new position in the index.
    fn regroup(&mut self, name: &Arc<[u8]>, change: impl FnOnce(&mut Group)) {
        let mut entry = loop {
            match self.groups.entry(Arc::clone(name)) {
                Entry::Occupied(served_turns) => break served_turns,
                Entry::Vacant(place) => {
                    let turn = self.preloaded_turns.remove(&**name).unwrap_or_else(|| {
                        self.last_turn += 1;
                        self.last_turn
                    });
                    let rule = self.rules.get(name).copied().unwrap_or_default();
                    place.insert(Group { turn, rule, ..Group::default() });
                }
            }
        };
        let group = entry.get_mut();
        let before = group.unserved_groups();
        change(group);
        let (after, over) = (group.unserved_groups(), group.is_over());
        self.unstarted.reposition(name, before[0], after[0]);
        self.started.reposition(name, before[1], after[1]);
        if over {
            entry.remove();
        }
    }

    /// Says where a group differs from the others from now on.
    pub fn set_rule(&mut self, name: &Arc<[u8]>, rule: GroupRule) {
        let before = if rule == GroupRule::default() {
            self.rules.remove(name)
        } else {
            self.rules.insert(Arc::clone(name), rule)
        };
        self.own_widths += usize::from(rule.width.is_some());
        self.own_widths -= usize::from(before.is_some_and(|before| before.width.is_some()));
        if self.groups.contains_key(name) {
            self.regroup(name, |group| group.rule = rule);
        }
    }

    #[cfg(test)]
    pub fn rules(&self) -> &BTreeMap<Arc<[u8]>, GroupRule> {
        &self.rules
    }

    /// While loading: the turn of a group whose jobs come later. False for one that was promised
    /// already.
    pub fn preload_turn(&mut self, name: &[u8], turn: TurnNumber) -> bool {
        !self.groups.contains_key(name) && self.preloaded_turns.insert(name.into(), turn).is_none()
    }

    /// Whether all turns are different, and every promised group has come.
    pub fn is_sound(&self) -> bool {
        let turns: BTreeSet<TurnNumber> = self.groups.values().map(|group| group.turn).collect();
        turns.len() == self.groups.len()
            && turns.last().is_none_or(|last| *last <= self.last_turn)
            && self.preloaded_turns.is_empty()
    }

    /// How many lanes there are, each of which takes memory of its own.
    pub fn lanes(&self) -> usize {
        // A group has two at least in mind: one for its jobs and one for its places.
        self.ungrouped.lanes() + 2 * self.groups.len()
    }

    /// Since when the job waits that has been ready longest, among the first 1,000 groups. Jobs for
    /// which `counts` is false are skipped, at most 10,000 of them.
    pub fn oldest(&self, counts: impl Fn(Serial) -> bool) -> Option<UnixMs> {
        let left = Cell::new(SKIP_LIMIT);
        let counts = |serial| {
            let counted = left.get() == 0 || counts(serial);
            left.set(left.get() - usize::from(!counted));
            counted
        };
        let of_group = |group: &Group| [group.unstarted.oldest(counts), group.started.oldest(counts)];
        let groups = self.groups.values().take(SCAN_LIMIT).flat_map(of_group);
        groups.chain([self.ungrouped.oldest(counts)]).flatten().min()
    }
}
