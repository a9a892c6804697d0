//! AFTER: jobs that wait until others have ended.
//!
//! An edge leads from a job to each one that waits for it. Whatever a job does to those that wait for it is work that
//! is noted and then done edge by edge, a bounded number of them with each effect: neither a job that 100,000 wait for
//! nor a chain of as many makes one call take long.

use crate::domain::jobq::history::event::Event;
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::dependencies::{Flow, OnDead, Outcome};
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::new_job::NewFlow;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::refusal::shown;
use crate::domain::time::UnixMs;

/// How many edges are followed with one effect; what is left is for the next ones.
const FOLLOWED: usize = 1_000;

impl Job {
    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.life()?.flow.as_ref()
    }

    pub(crate) fn flow_mut(&mut self) -> Option<&mut Flow> {
        self.life_mut()?.flow.as_mut()
    }

    /// For how many other jobs it still waits.
    pub(crate) fn open(&self) -> u32 {
        self.flow().map_or(0, |flow| flow.open)
    }

    /// From where the edges lead to those that wait for it.
    pub(crate) fn anchor(&self, serial: Serial) -> Serial {
        self.life().and_then(|life| life.anchor).unwrap_or(serial)
    }
}

impl Queue {
    /// The job that an edge leads from.
    pub(crate) fn at_anchor(&self, anchor: Serial) -> Option<(Serial, &Job)> {
        let serial = self.flows.heirs.get(&anchor).copied().unwrap_or(anchor);
        self.job(serial).filter(|job| job.anchor(serial) == anchor).map(|job| (serial, job))
    }

    /// Whether other jobs wait for this one.
    pub(crate) fn is_waited_for(&self, serial: Serial, job: &Job) -> bool {
        self.flows.first(job.anchor(serial), Outcome::Gone).is_some()
    }

    /// Which jobs a blocked one waits for, by their ids.
    pub(crate) fn waits_for<'q>(
        &'q self,
        serial: Serial,
        job: &'q Job,
    ) -> impl Iterator<Item = (Serial, &'q Job)> {
        let flow = job.flow().filter(|_| job.state == State::Blocked);
        let open = flow.into_iter().flat_map(move |flow| {
            flow.after.iter().filter(move |anchor| self.flows.has_edge(**anchor, flow.on_dead, serial))
        });
        open.filter_map(|anchor| self.at_anchor(*anchor))
    }

    /// What a new job waits for; what does not apply any more is left out.
    pub(crate) fn new_flow(&mut self, serial: Serial, new: NewFlow) -> Option<Flow> {
        let NewFlow { mut after, on_dead, doom } = new;
        after.sort_unstable();
        after.dedup();
        after.retain(|anchor| {
            self.at_anchor(*anchor).is_some_and(|(_, job)| match job.state {
                State::Done => false,
                // One that is doomed waits for those again that are redriven with it.
                State::Dead => on_dead == OnDead::Wait || doom.is_some(),
                _ => true,
            })
        });
        let edges = after.iter().map(|anchor| (*anchor, on_dead == OnDead::Wait, serial));
        self.flows.edges.extend(edges);
        let open = after.len() as u32;
        (open > 0).then(|| Flow { after: after.into(), on_dead, open })
    }

    /// When the next job is forgotten that others may wait for.
    pub(crate) fn next_gone(&self) -> Option<UnixMs> {
        if self.flows.edges.is_empty() {
            return None;
        }
        let leaves = self.ends.leaving.first().map(|(at, _)| *at);
        let age = self.keep(State::Dead).age;
        let forgotten = self.first(State::Dead).map(|(at, _)| at.saturating_add(age));
        leaves.into_iter().chain(forgotten).min()
    }

    /// Notes that those who wait for a job are to be told how it has ended.
    pub(crate) fn note_ended(&mut self, serial: Serial, gone: Option<&Job>, outcome: Outcome) {
        if self.flows.edges.is_empty() {
            return;
        }
        let Some(job) = gone.or_else(|| self.job(serial)) else { return };
        let (anchor, id) = (job.anchor(serial), Box::from(&*job.shown_id(serial)));
        if self.flows.first(anchor, outcome).is_some() {
            self.flows.ended.insert(anchor, (outcome, id));
        }
    }

    /// A job that waited does so no more, whatever becomes of those it waited for.
    pub(crate) fn loosen(&mut self, serial: Serial, flow: &Flow) {
        if flow.open > 0 {
            self.flows.loose.insert(serial, (flow.on_dead, flow.after.to_vec()));
        }
    }

    /// Does a bounded part of what is to be done.
    pub(crate) fn follow(&mut self) {
        for _ in 0..FOLLOWED {
            if !self.follow_one() {
                return;
            }
        }
    }

    /// Follows one edge; false when there is nothing to do.
    pub(crate) fn follow_one(&mut self) -> bool {
        if let Some(mut entry) = self.flows.loose.first_entry() {
            let child = *entry.key();
            let (on_dead, anchors) = entry.get_mut();
            let edge = anchors.pop().map(|anchor| (anchor, *on_dead == OnDead::Wait, child));
            if anchors.is_empty() {
                entry.remove();
            }
            if let Some(edge) = edge {
                self.flows.edges.remove(&edge);
            }
            return true;
        }
        // The latest first: down a tree before across it, so that little is noted at a time.
        let Some((&anchor, (outcome, _))) = self.flows.ended.last_key_value() else { return false };
        let outcome = *outcome;
        let Some(edge) = self.flows.first(anchor, outcome) else {
            self.flows.ended.remove(&anchor);
            return true;
        };
        self.flows.edges.remove(&edge);
        self.tell(edge.2, anchor, outcome);
        if self.flows.ended.contains_key(&anchor) && self.flows.first(anchor, outcome).is_none() {
            self.flows.ended.remove(&anchor);
        }
        true
    }

    /// A job that waits hears that one has ended.
    fn tell(&mut self, child: Serial, anchor: Serial, outcome: Outcome) {
        let waits = |job: &&Job| job.state == State::Blocked && job.open() > 0;
        let Some(on_dead) = self.job(child).filter(waits).and_then(Job::flow).map(|flow| flow.on_dead) else {
            return;
        };
        if let Some(flow) = self.jobs.get_mut(child).and_then(|job| job.flow_mut()) {
            flow.open -= 1;
        }
        if outcome == Outcome::Done || on_dead == OnDead::Run {
            return self.unblock(child);
        }
        let id = self.flows.ended.get(&anchor).map(|(_, id)| shown(id)).unwrap_or_default();
        let error = doom(&id, outcome);
        self.die(child, error);
    }

    /// A redriven job waits again for those that it was pushed after, as far as they can still be done.
    pub(crate) fn wait_again(&mut self, serial: Serial) {
        let now = self.clock;
        let Some(flow) = self.job(serial).and_then(Job::flow).cloned() else { return };
        self.flows.loose.remove(&serial);
        let mut open = 0;
        for anchor in &flow.after {
            let edge = (*anchor, flow.on_dead == OnDead::Wait, serial);
            if self.at_anchor(*anchor).is_some_and(|(_, job)| job.waits() || job.state == State::Active) {
                self.flows.edges.insert(edge);
                open += 1;
            } else {
                self.flows.edges.remove(&edge);
            }
        }
        let blocked = (open > 0).then(|| Event::Blocked.plain());
        self.change_and_record(serial, blocked, |job| {
            if let Some(flow) = job.flow_mut() {
                flow.open = open;
            }
            if open > 0 {
                (job.state, job.at, job.place) = (State::Blocked, now, now);
            }
        });
    }
}

/// What a job dies of when one that it waits for has ended so.
pub(crate) fn doom(id: &str, outcome: Outcome) -> Box<[u8]> {
    let how = if outcome == Outcome::Dead { "is dead" } else { "is gone" };
    format!("the job '{id}' that it waited for {how}").into_bytes().into()
}
