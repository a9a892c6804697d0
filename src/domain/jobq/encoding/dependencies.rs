//! The binary form of dependencies.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MAX_PARENTS;
use crate::domain::jobq::encoding::fields::{BLOCK, read_bytes, read_near, read_on_dead};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::dependencies::{
    CancelledEdges, Dependencies, DependencyOutcome, Edge, OnDead,
};
use crate::domain::jobq::state::job::{BorrowedJob, Job};
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use std::sync::Arc;

/// The first byte of a block of notifications that are still to be made.
pub(crate) const DEPENDENCY_WORK: u8 = 4;

/// A job that has ended; one that waits no more.
const ENDED: u8 = 0;
const CANCELLED: u8 = 1;

/// Anchors, each with whether its edge is still there.
fn write_after(writer: &mut Writer, after: &[Serial], is_open: impl Fn(Serial) -> bool) {
    writer.int(after.len() as u64);
    for root in after {
        writer.int(*root);
        writer.bool(is_open(*root));
    }
}

fn read_after(reader: &mut Reader<'_>) -> Result<Vec<(Serial, bool)>, Corrupt> {
    let count = reader.count(2)?;
    if !(1..=MAX_PARENTS).contains(&count) {
        return Err(Corrupt);
    }
    (0..count).map(|_| Ok((read_near(reader)?, reader.bool()?))).collect()
}

/// The edges that are still there to a job.
fn edges(after: &[(Serial, bool)], on_dead: OnDead, child: Serial) -> Vec<Edge> {
    let open = after.iter().filter(|(_, open)| *open);
    open.map(|(root, _)| (*root, on_dead == OnDead::Wait, child)).collect()
}

impl Queue {
    pub(crate) fn save_dependency_work(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        let mut begin = |writer: &mut Writer, kind: u8| {
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
            if writer.is_empty() {
                writer.byte(DEPENDENCY_WORK);
            }
            writer.byte(kind);
        };
        for (root, (outcome, id)) in &self.dependency_graph.ended {
            begin(&mut writer, ENDED);
            writer.int(*root);
            writer.byte(*outcome as u8);
            writer.bytes(id);
        }
        for (child, CancelledEdges { on_dead, after, left }) in &self.dependency_graph.cancelled_edges {
            begin(&mut writer, CANCELLED);
            writer.int(*child);
            writer.byte(*on_dead as u8);
            let has_edge = |root| self.dependency_graph.has_edge(root, *on_dead, *child);
            write_after(&mut writer, &after[..*left], has_edge);
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    pub(crate) fn load_dependency_work(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let kind = reader.byte()?;
            if kind == ENDED {
                let root = read_near(reader)?;
                let outcome = *DependencyOutcome::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
                let last = self.dependency_graph.ended.last_key_value();
                if last.is_some_and(|(last, _)| *last >= root)
                    || !self.dependency_graph.cancelled_edges.is_empty()
                {
                    return Err(Corrupt);
                }
                self.dependency_graph.ended.insert(root, (outcome, read_bytes(reader)?));
            } else if kind == CANCELLED {
                let (child, on_dead, after) =
                    (read_near(reader)?, read_on_dead(reader)?, read_after(reader)?);
                let last = self.dependency_graph.cancelled_edges.last_key_value();
                let waits = self.job(child).is_some_and(|job| job.state == State::Blocked);
                if waits || last.is_some_and(|(last, _)| *last >= child) {
                    return Err(Corrupt);
                }
                self.dependency_graph.edges.extend(edges(&after, on_dead, child));
                let after: Arc<[Serial]> = after.into_iter().map(|(root, _)| root).collect();
                let cancelled = CancelledEdges { on_dead, left: after.len(), after };
                self.dependency_graph.cancelled_edges.insert(child, cancelled);
            } else {
                return Err(Corrupt);
            }
        }
        Ok(())
    }

    /// Whether every edge starts at a job that may still end, or at a job whose dependents are
    /// being notified.
    pub(crate) fn edges_start_at_jobs(&self) -> bool {
        let leads = |edge: &Edge| {
            let alive = || self.job_at_root(edge.0).is_some_and(|(_, job)| job.state != State::Done);
            self.dependency_graph.cancelled_edges.contains_key(&edge.2)
                || self.dependency_graph.ended.contains_key(&edge.0)
                || alive()
        };
        self.dependency_graph.edges.iter().all(leads)
    }
}

pub(crate) fn write_dependencies(writer: &mut Writer, serial: Serial, job: BorrowedJob<'_>, queue: &Queue) {
    writer.option(job.dependencies(), |writer, dependencies| {
        writer.byte(dependencies.on_dead as u8);
        let waits = job.state == State::Blocked;
        let is_open = |root| waits && queue.dependency_graph.has_edge(root, dependencies.on_dead, serial);
        write_after(writer, &dependencies.after, is_open);
    });
}

/// Reads what a job waits for and returns the edges that exist.
pub(crate) fn read_dependencies(
    reader: &mut Reader<'_>,
    serial: Serial,
    job: &mut Job,
    encoding: u32,
) -> Result<Vec<Edge>, Corrupt> {
    let (on_dead, after) = (read_on_dead(reader)?, read_after(reader)?);
    let edges = edges(&after, on_dead, serial);
    let rises = after.is_sorted_by(|one, other| one.0 < other.0);
    let waits = job.state == State::Blocked || edges.is_empty();
    // Earlier builds kept those of jobs that went on.
    let is_over = !matches!(job.state, State::Blocked | State::Dead);
    let lifetime = job.lifetime_mut().filter(|_| rises && waits).ok_or(Corrupt)?;
    if is_over {
        return if encoding < 8 { Ok(Vec::new()) } else { Err(Corrupt) };
    }
    let after = after.into_iter().map(|(root, _)| root).collect();
    lifetime.dependencies = Some(Dependencies { after, on_dead, open: edges.len() as u32 });
    Ok(edges)
}
