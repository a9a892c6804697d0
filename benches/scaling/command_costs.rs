//! What each verb costs on a queue.

use crate::cpu_meter::Meter;
use crate::job_ids::JobIds;
use crate::job_kinds::{Held, Kind, held, push};
use crate::pipeline;
use crate::support::resp::{Connection, write};

/// Of each verb.
const CALLS: usize = 10_000;

pub type Costs = Vec<(&'static str, f64)>;

pub fn all(
    meter: &Meter<'_>,
    control: &mut Connection,
    kind: Kind,
    (jobs, ids): (usize, &JobIds),
    active: &[Held],
) -> Result<Costs, String> {
    let calls = CALLS.min(jobs / 4);
    // Those that wait come behind those that were taken.
    let first = active.len();
    let mut costs = Vec::new();
    let payload = [b'p'; 200];
    let pushed = pipeline::run(meter, control, calls, |wire, number| push(wire, kind, number, &payload))?;
    costs.push(("PUSH", pushed.0));
    // The middle of what was there before.
    let cancelled = pipeline::run(meter, control, calls, |wire, number| {
        write(wire, &[b"JOBQ.CANCEL", b"q", ids.of(first + jobs / 2 + number).as_bytes()]);
    })?;
    costs.push(("CANCEL from the middle", cancelled.0));
    let got = pipeline::run(meter, control, calls, |wire, number| {
        write(wire, &[b"JOBQ.GET", b"q", ids.of(first + jobs / 4 + number % 100).as_bytes()]);
    })?;
    costs.push(("GET", got.0));
    if kind != Kind::Delayed {
        worked(meter, control, calls, &mut costs)?;
    }
    // The last quarter, which nothing above has touched.
    let updated = pipeline::run(meter, control, calls, |wire, number| {
        let (id, priority) = (ids.of(first + jobs - calls + number), (number % 1_000).to_string());
        write(wire, &[b"JOBQ.UPDATE", b"q", id.as_bytes(), b"PRIORITY", priority.as_bytes()]);
    })?;
    costs.push(("UPDATE of the priority", updated.0));
    if !active.is_empty() {
        kept(meter, control, active, &mut costs)?;
    }
    Ok(costs)
}

/// What a worker does.
fn worked(
    meter: &Meter<'_>,
    control: &mut Connection,
    calls: usize,
    costs: &mut Costs,
) -> Result<(), String> {
    let popped = pipeline::run(meter, control, calls, |wire, _| write(wire, &[b"JOBQ.POP", b"q"]))?;
    costs.push(("POP", popped.0));
    let jobs: Vec<Held> = popped.1.iter().map(|reply| held(reply.at(0))).collect();
    let (failed, done) = jobs.split_at(jobs.len() / 2);
    let ack = on(meter, control, done, "JOBQ.ACK")?;
    costs.push(("ACK", ack));
    let fail = on(meter, control, failed, "JOBQ.FAIL")?;
    costs.push(("FAIL", fail));
    // One at a time: each is to be told from the others.
    let (batches, mut taken) = ((calls / 100).max(1), 0);
    for _ in 0..batches {
        taken += meter.exchange(|| control.call(&[b"JOBQ.POP", b"q", b"COUNT", b"100"]))?.1;
    }
    costs.push(("POP COUNT 100, a job", taken as f64 / 1e3 / (batches * 100) as f64));
    Ok(())
}

/// With jobs that have been active for long, from the middle of them.
fn kept(
    meter: &Meter<'_>,
    control: &mut Connection,
    active: &[Held],
    costs: &mut Costs,
) -> Result<(), String> {
    let calls = CALLS.min(active.len() / 4);
    let some = &active[active.len() / 2..][..calls];
    let extend = on(meter, control, some, "JOBQ.EXTEND")?;
    costs.push(("EXTEND, long active", extend));
    let ack = on(meter, control, some, "JOBQ.ACK")?;
    costs.push(("ACK, long active", ack));
    Ok(())
}

/// A command that names a job and its token.
fn on(meter: &Meter<'_>, control: &mut Connection, jobs: &[Held], command: &str) -> Result<f64, String> {
    let run = pipeline::run(meter, control, jobs.len(), |wire, number| {
        let (id, token) = &jobs[number];
        write(wire, &[command.as_bytes(), b"q", id.as_bytes(), token.as_bytes()]);
    })?;
    Ok(run.0)
}
