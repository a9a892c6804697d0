//! Decides which jobs a GROUPED POP takes: all of one group, which together are one run of it.

use crate::domain::jobq::ready::batches::BatchId;
use crate::domain::jobq::ready::group_index::GroupPosition;
use crate::domain::jobq::ready::priority_lanes::PriorityLanes;
use crate::domain::jobq::ready::ready_queue::Group;
use crate::domain::jobq::ready::serving_order::{ServedGroup, ServingOrder};
use crate::domain::jobq::state::serial::Serial;

/// The jobs of one group that a GROUPED POP may take, in their order.
#[derive(Debug, Default)]
pub(crate) struct GroupRun {
    pub serials: Vec<Serial>,
    /// Whether they are jobs of a group, not those without one.
    pub is_grouped: bool,
    /// The batch that the first of them belongs to already.
    pub batch: Option<BatchId>,
    /// The group's rate admits no more of them.
    pub is_cut_by_rate: bool,
}

/// The runs of a queue's groups in the order in which POP serves the groups.
pub(crate) struct GroupRuns<'q> {
    order: ServingOrder<'q>,
    with_ungrouped: bool,
    /// The most jobs of a run.
    most: usize,
}

impl<'q> GroupRuns<'q> {
    pub fn of(order: ServingOrder<'q>, most: usize) -> Self {
        GroupRuns { order, with_ungrouped: true, most }
    }

    /// The run of whoever's turn is next, if `may_have_run` says of the group that it may be the
    /// one that is looked for; the jobs without a group always are.
    pub fn next_if(&mut self, may_have_run: impl Fn(&Group) -> bool) -> Option<Option<GroupRun>> {
        let most = self.most;
        if let Some(served) = self.order.next_group(self.with_ungrouped)? {
            return Some(may_have_run(served.group).then(|| GroupRun::of_group(served, most)));
        }
        self.with_ungrouped = false;
        Some(self.of_ungrouped())
    }

    /// The run of a group as if its turn had come.
    pub fn of_group(&self, name: &'q [u8]) -> Option<GroupRun> {
        Some(GroupRun::of_group(&mut self.order.group_now(name)?, self.most))
    }

    /// The run of the jobs without a group, if there are any.
    pub fn of_ungrouped(&self) -> Option<GroupRun> {
        let serials = first_of(&self.order.ready.ungrouped, self.most);
        (!serials.is_empty()).then(|| GroupRun { serials, ..GroupRun::default() })
    }

    /// When it is the turn of the jobs without a group.
    pub fn ungrouped_position(&mut self) -> Option<GroupPosition> {
        self.order.ungrouped_position()
    }
}

impl Iterator for GroupRuns<'_> {
    type Item = GroupRun;

    fn next(&mut self) -> Option<GroupRun> {
        self.next_if(|_| true).map(Option::unwrap_or_default)
    }
}

fn first_of(lanes: &PriorityLanes, most: usize) -> Vec<Serial> {
    lanes.iter().map(|(_, serial)| serial).take(most).collect()
}

impl GroupRun {
    /// A run that begins with a retry is one of the retry's slot: it takes the jobs that share the
    /// slot, and jobs that were not begun only if no other job holds on to the slot.
    fn of_group(served: &mut ServedGroup<'_>, most: usize) -> Self {
        let (group, left) = (served.group, served.starts_left());
        let is_cut_by_rate = left < most;
        let most = most.min(left);
        let mut run = GroupRun { is_grouped: true, is_cut_by_rate, ..GroupRun::default() };
        let takes_unstarted = match served.begins_with_started() {
            None => return run,
            Some(false) => true,
            Some(true) => {
                let Some((_, first)) = group.startable.iter().next() else { return run };
                run.batch = group.batches.as_ref().and_then(|batches| batches.id_of(first));
                let batches = group.batches.as_ref().zip(run.batch);
                match batches.and_then(|(batches, id)| batches.get(id)) {
                    Some(batch) => {
                        run.serials = first_of(&batch.ready(), most);
                        batch.is_whole()
                    }
                    None => {
                        run.serials.push(first);
                        true
                    }
                }
            }
        };
        if takes_unstarted {
            let left = most.saturating_sub(run.serials.len());
            run.serials.extend(first_of(&group.unstarted, left));
        }
        run
    }
}
