//! The binary form of who waits for whom.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::jobq::MOST_AFTER;
use crate::domain::jobq::encoding::fields::{BLOCK, boxed, near, read_on_dead};
use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::dependencies::{Edge, Flow, OnDead, Outcome};
use crate::domain::jobq::state::job::{Job, State};
use crate::domain::jobq::state::serial::Serial;

/// The first byte of a block of what is still to be followed.
pub(crate) const FLOWS: u8 = 4;

/// A job that has ended; one that waits no more.
const ENDED: u8 = 0;
const LOOSE: u8 = 1;

/// Anchors, each with whether its edge is still there.
fn write_after(writer: &mut Writer, after: &[Serial], is_open: impl Fn(Serial) -> bool) {
    writer.int(after.len() as u64);
    for anchor in after {
        writer.int(*anchor);
        writer.bool(is_open(*anchor));
    }
}

fn read_after(reader: &mut Reader<'_>) -> Result<Vec<(Serial, bool)>, Corrupt> {
    let count = reader.count(2)?;
    if !(1..=MOST_AFTER).contains(&count) {
        return Err(Corrupt);
    }
    (0..count).map(|_| Ok((near(reader)?, reader.bool()?))).collect()
}

/// The edges that are still there to a job.
fn edges(after: &[(Serial, bool)], on_dead: OnDead, child: Serial) -> Vec<Edge> {
    let open = after.iter().filter(|(_, open)| *open);
    open.map(|(anchor, _)| (*anchor, on_dead == OnDead::Wait, child)).collect()
}

impl Queue {
    pub(crate) fn save_flows(&self, emit: &mut dyn FnMut(&[u8])) {
        let mut writer = Writer::new();
        let mut begin = |writer: &mut Writer, kind: u8| {
            if writer.len() >= BLOCK {
                emit(&writer.take());
            }
            if writer.is_empty() {
                writer.byte(FLOWS);
            }
            writer.byte(kind);
        };
        for (anchor, (outcome, id)) in &self.flows.ended {
            begin(&mut writer, ENDED);
            writer.int(*anchor);
            writer.byte(*outcome as u8);
            writer.bytes(id);
        }
        for (child, (on_dead, after)) in &self.flows.loose {
            begin(&mut writer, LOOSE);
            writer.int(*child);
            writer.byte(*on_dead as u8);
            write_after(&mut writer, after, |anchor| self.flows.has_edge(anchor, *on_dead, *child));
        }
        if !writer.is_empty() {
            emit(&writer.finish());
        }
    }

    pub(crate) fn load_flows(&mut self, reader: &mut Reader<'_>) -> Result<(), Corrupt> {
        while !reader.is_empty() {
            let kind = reader.byte()?;
            if kind == ENDED {
                let anchor = near(reader)?;
                let outcome = *Outcome::ALL.get(usize::from(reader.byte()?)).ok_or(Corrupt)?;
                let last = self.flows.ended.last_key_value();
                if last.is_some_and(|(last, _)| *last >= anchor) || !self.flows.loose.is_empty() {
                    return Err(Corrupt);
                }
                self.flows.ended.insert(anchor, (outcome, boxed(reader)?));
            } else if kind == LOOSE {
                let (child, on_dead, after) = (near(reader)?, read_on_dead(reader)?, read_after(reader)?);
                let last = self.flows.loose.last_key_value();
                let waits = self.job(child).is_some_and(|job| job.state == State::Blocked);
                if waits || last.is_some_and(|(last, _)| *last >= child) {
                    return Err(Corrupt);
                }
                self.flows.edges.extend(edges(&after, on_dead, child));
                let after = after.into_iter().map(|(anchor, _)| anchor).collect();
                self.flows.loose.insert(child, (on_dead, after));
            } else {
                return Err(Corrupt);
            }
        }
        Ok(())
    }

    /// Whether every edge leads from a job that may still end, or from one of which those that wait are being told.
    pub(crate) fn edges_lead_from_jobs(&self) -> bool {
        let leads = |edge: &Edge| {
            let alive = || self.at_anchor(edge.0).is_some_and(|(_, job)| job.state != State::Done);
            self.flows.loose.contains_key(&edge.2) || self.flows.ended.contains_key(&edge.0) || alive()
        };
        self.flows.edges.iter().all(leads)
    }
}

pub(crate) fn write_flow(writer: &mut Writer, serial: Serial, job: &Job, queue: &Queue) {
    writer.option(job.flow(), |writer, flow| {
        writer.byte(flow.on_dead as u8);
        let waits = job.state == State::Blocked;
        let is_open = |anchor| waits && queue.flows.has_edge(anchor, flow.on_dead, serial);
        write_after(writer, &flow.after, is_open);
    });
}

/// What a job waits for; gives the edges that are there.
pub(crate) fn read_flow(
    reader: &mut Reader<'_>,
    serial: Serial,
    job: &mut Job,
) -> Result<Vec<Edge>, Corrupt> {
    let (on_dead, after) = (read_on_dead(reader)?, read_after(reader)?);
    let edges = edges(&after, on_dead, serial);
    let rises = after.is_sorted_by(|one, other| one.0 < other.0);
    let waits = job.state == State::Blocked || edges.is_empty();
    let life = job.life_mut().filter(|_| rises && waits).ok_or(Corrupt)?;
    let after = after.into_iter().map(|(anchor, _)| anchor).collect();
    life.flow = Some(Flow { after, on_dead, open: edges.len() as u32 });
    Ok(edges)
}
