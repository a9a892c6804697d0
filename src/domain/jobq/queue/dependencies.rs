//! AFTER: jobs that wait until others have ended.
//!
//! An edge leads from a job to each job that waits for it. What the end of a job means for its
//! dependents is noted and then done edge by edge, a bounded number with each effect. So neither a
//! job with 100,000 dependents nor a chain of as many makes one call take long.

use crate::domain::jobq::MAX_PARENTS;
use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::dependencies::{CancelledEdges, Dependencies, DependencyOutcome, OnDead};
use crate::domain::jobq::state::job::BorrowedJob;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::new_job::NewDependencies;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::refusal::shown;
use crate::domain::time::UnixMs;
use std::sync::Arc;

/// How many dependents one effect notifies. The next effects notify the rest.
const MAX_NOTIFICATIONS: usize = 1_000;

impl<'j> BorrowedJob<'j> {
    pub(crate) fn dependencies(self) -> Option<&'j Dependencies> {
        self.lifetime()?.dependencies.as_ref()
    }

    /// The number of jobs that it still waits for.
    pub(crate) fn open(self) -> u32 {
        self.dependencies().map_or(0, |dependencies| dependencies.open)
    }

    /// The root that the edges to its dependents start from.
    pub(crate) fn root(self, serial: Serial) -> Serial {
        self.lifetime().and_then(|lifetime| lifetime.root).unwrap_or(serial)
    }
}

impl Queue {
    /// The job that has this root now.
    pub(crate) fn job_at_root(&self, root: Serial) -> Option<(Serial, BorrowedJob<'_>)> {
        let serial = self.dependency_graph.replaced_by.get(&root).copied().unwrap_or(root);
        self.job(serial).filter(|job| job.root(serial) == root).map(|job| (serial, job))
    }

    /// Whether other jobs wait for this one.
    pub(crate) fn is_waited_for(&self, serial: Serial, job: BorrowedJob<'_>) -> bool {
        self.dependency_graph.first(job.root(serial), DependencyOutcome::Gone).is_some()
    }

    /// The jobs that a blocked job waits for.
    pub(crate) fn waits_for<'q>(
        &'q self,
        serial: Serial,
        job: BorrowedJob<'q>,
    ) -> impl Iterator<Item = (Serial, BorrowedJob<'q>)> {
        let dependencies = job.dependencies().filter(|_| job.state == State::Blocked);
        let open = dependencies.into_iter().flat_map(move |dependencies| {
            dependencies
                .after
                .iter()
                .filter(move |root| self.dependency_graph.has_edge(**root, dependencies.on_dead, serial))
        });
        open.filter_map(|root| self.job_at_root(*root))
    }

    /// Registers what a new job waits for. Dependencies that have ended in the meantime are left
    /// out.
    pub(crate) fn new_dependencies(&mut self, serial: Serial, new: NewDependencies) -> Option<Dependencies> {
        let on_dead = new.on_dead;
        let after = self.add_edges(serial, new);
        let open = after.len() as u32;
        (open > 0).then(|| Dependencies { after: after.into(), on_dead, open })
    }

    /// Adds edges to a job from the jobs that it is to wait for. Returns the roots of those that
    /// are new and have not ended, in order.
    fn add_edges(&mut self, serial: Serial, new: NewDependencies) -> Vec<Serial> {
        let NewDependencies { mut after, on_dead, dependency_error } = new;
        after.sort_unstable();
        after.dedup();
        after.retain(|root| {
            let may_wait = self.job_at_root(*root).is_some_and(|(_, job)| match job.state {
                State::Done => false,
                // A job that is dead at once waits again for the jobs that are redriven with it.
                State::Dead => on_dead == OnDead::Wait || dependency_error.is_some(),
                _ => true,
            });
            may_wait && self.dependency_graph.edges.insert((*root, on_dead == OnDead::Wait, serial))
        });
        after
    }

    /// Makes a job that has not begun wait for more jobs.
    pub(crate) fn add_dependencies(&mut self, serial: Serial, new: NewDependencies) {
        let now = self.clock;
        let Some(job) = self.job(serial).filter(|job| job.waits() && !job.is_started()) else { return };
        let (is_blocked, known) = (job.state == State::Blocked, job.dependencies().cloned());
        let count = known.as_ref().map_or(0, |known| known.after.len());
        // No primary sends this.
        let is_too_many = count + new.after.len() > MAX_PARENTS;
        if is_too_many || known.as_ref().is_some_and(|known| known.on_dead != new.on_dead) {
            return;
        }
        let (on_dead, error) = (new.on_dead, new.dependency_error.clone());
        let added = self.add_edges(serial, new);
        if !added.is_empty() {
            let blocked = (!is_blocked).then(|| Event::Blocked.plain());
            let open = known.as_ref().map_or(0, |known| known.open) + added.len() as u32;
            let mut after = known.map_or_else(Vec::new, |known| known.after.to_vec());
            after.extend(added);
            after.sort_unstable();
            after.dedup();
            self.change_and_log(serial, blocked, |job| {
                let lifetime = job.options_mut().lifetime.get_or_insert_default();
                lifetime.dependencies = Some(Dependencies { after: after.into(), on_dead, open });
                lifetime.expires = 0;
                if job.state != State::Blocked {
                    (job.state, job.at) = (State::Blocked, now);
                }
            });
        }
        if let Some(error) = error {
            self.mark_dead(serial, error);
        }
    }

    /// The time at which the retention removes the next dead job that others may wait for.
    pub(crate) fn next_dependency_removal(&self) -> Option<UnixMs> {
        if self.dependency_graph.edges.is_empty() {
            return None;
        }
        let leaves = self.deadlines.retained.first().map(|(at, _)| *at);
        let age = self.keep(State::Dead).age;
        let forgotten = self.first(State::Dead).map(|(at, _)| at.saturating_add(age));
        leaves.into_iter().chain(forgotten).min()
    }

    /// Schedules the notification of the jobs that wait for this one.
    pub(crate) fn note_ended(
        &mut self,
        serial: Serial,
        gone: Option<BorrowedJob<'_>>,
        outcome: DependencyOutcome,
    ) {
        if self.dependency_graph.edges.is_empty() {
            return;
        }
        let Some(job) = gone.or_else(|| self.job(serial)) else { return };
        let (root, id) = (job.root(serial), Box::from(&*job.shown_id(serial)));
        if self.dependency_graph.first(root, outcome).is_some() {
            self.dependency_graph.ended.insert(root, (outcome, id));
        }
    }

    /// Schedules the removal of the job's dependency edges. The outcome of those dependencies no
    /// longer matters.
    pub(crate) fn cancel_edges(&mut self, serial: Serial, dependencies: &Dependencies) {
        if dependencies.open > 0 {
            let Dependencies { after, on_dead, .. } = dependencies;
            let edges = CancelledEdges { on_dead: *on_dead, after: Arc::clone(after), left: after.len() };
            self.dependency_graph.cancelled_edges.insert(serial, edges);
        }
    }

    /// Notifies a bounded number of dependents.
    pub(crate) fn notify_dependents(&mut self) {
        for _ in 0..MAX_NOTIFICATIONS {
            if !self.notify_one_dependent() {
                return;
            }
        }
    }

    /// Notifies one dependent, or removes one edge. Returns false if there is nothing to do.
    pub(crate) fn notify_one_dependent(&mut self) -> bool {
        // The latest first: it goes down a tree before across it, so the list of ended jobs stays
        // short.
        let Some((&root, (outcome, _))) = self.dependency_graph.ended.last_key_value() else {
            return self.remove_one_edge();
        };
        let outcome = *outcome;
        let Some(edge) = self.dependency_graph.first(root, outcome) else {
            self.dependency_graph.ended.remove(&root);
            return true;
        };
        self.dependency_graph.edges.remove(&edge);
        self.notify_dependent(edge.2, root, outcome);
        if self.dependency_graph.ended.contains_key(&root)
            && self.dependency_graph.first(root, outcome).is_none()
        {
            self.dependency_graph.ended.remove(&root);
        }
        true
    }

    /// Removes an edge to a job that no longer waits. Returns false if there is none.
    fn remove_one_edge(&mut self) -> bool {
        let Some(mut entry) = self.dependency_graph.cancelled_edges.first_entry() else { return false };
        let child = *entry.key();
        let edges = entry.get_mut();
        edges.left = edges.left.saturating_sub(1);
        let edge = edges.after.get(edges.left).map(|root| (*root, edges.on_dead == OnDead::Wait, child));
        if edges.left == 0 {
            entry.remove();
        }
        if let Some(edge) = edge {
            self.dependency_graph.edges.remove(&edge);
        }
        true
    }

    /// Tells a waiting job that one of its dependencies ended.
    fn notify_dependent(&mut self, child: Serial, root: Serial, outcome: DependencyOutcome) {
        let waits = |job: &BorrowedJob<'_>| job.state == State::Blocked && job.open() > 0;
        let Some(on_dead) = self
            .job(child)
            .filter(waits)
            .and_then(BorrowedJob::dependencies)
            .map(|dependencies| dependencies.on_dead)
        else {
            return;
        };
        let lifetime = self.jobs.lifetime_mut(child);
        if let Some(dependencies) = lifetime.and_then(|lifetime| lifetime.dependencies.as_mut()) {
            dependencies.open -= 1;
        }
        if outcome == DependencyOutcome::Done || on_dead == OnDead::Run {
            return self.unblock(child);
        }
        let id = self.dependency_graph.ended.get(&root).map(|(_, id)| shown(id)).unwrap_or_default();
        let error = dependency_error(&id, outcome);
        self.mark_dead(child, error);
    }

    /// Makes a redriven job wait again for what it waited for when it died, as far as that can
    /// still be done.
    pub(crate) fn wait_for_dependencies(&mut self, serial: Serial, dependencies: &Dependencies) {
        let (now, on_dead) = (self.clock, dependencies.on_dead);
        self.dependency_graph.cancelled_edges.remove(&serial);
        let mut open = 0;
        for root in &*dependencies.after {
            let edge = (*root, on_dead == OnDead::Wait, serial);
            if self.job_at_root(*root).is_some_and(|(_, job)| job.waits() || job.state == State::Active) {
                self.dependency_graph.edges.insert(edge);
                open += 1;
            } else {
                self.dependency_graph.edges.remove(&edge);
            }
        }
        if open > 0 {
            let after = Arc::clone(&dependencies.after);
            self.change_and_log(serial, Some(Event::Blocked.plain()), |job| {
                (job.state, job.at, job.ready_at) = (State::Blocked, now, now);
                let lifetime = job.options_mut().lifetime.get_or_insert_default();
                lifetime.dependencies = Some(Dependencies { after, on_dead, open });
            });
        }
    }
}

/// The error of a job that dies because a job it waits for ended like this.
pub(crate) fn dependency_error(id: &str, outcome: DependencyOutcome) -> Box<[u8]> {
    let how = if outcome == DependencyOutcome::Dead { "is dead" } else { "is gone" };
    format!("the job '{id}' that it waited for {how}").into_bytes().into()
}
