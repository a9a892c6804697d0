//! One queue of many jobs: how it is filled, and what is measured of it.

use crate::command_costs;
use crate::cpu_meter::{Longest, Meter};
use crate::groups_at_limit;
use crate::groups_at_rate;
use crate::job_ids::JobIds;
use crate::job_kinds::{Held, Kind, held as held_of, payloads};
use crate::lingering;
use crate::server_stats::{self, Call, SlowCall};
use crate::storage::{self, Storage};
use crate::support::resp::Connection;
use crate::support::server::Server;

/// As many are active, where the queue is large enough.
const ACTIVE: usize = 100_000;

pub struct Queue {
    pub kind: Kind,
    pub jobs: usize,
    /// (verb, server CPU in microseconds a call)
    pub verbs: Vec<(&'static str, f64)>,
    pub longest: Longest,
    pub slow_calls: Vec<SlowCall>,
    pub calls: Vec<Call>,
    /// Of the first two kinds.
    pub storage: Option<Storage>,
}

pub fn measure(server: &Server, kind: Kind, jobs: usize) -> Result<Queue, String> {
    let mut control = server.connect()?;
    // Beside telling work from what the machine takes, the first pass has the server use the memory
    // of the second: the first touch of a page may take the host of a virtual machine longer than
    // all calls that need it.
    let first = Meter::of(server);
    pass(&first, &mut control, kind, jobs)?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let list = if kind.is_stored() { Some(storage::list(server, &mut control, jobs)?) } else { None };
    let meter = Meter::of(server);
    server_stats::begin(&mut control)?;
    let (bytes, verbs) = pass(&meter, &mut control, kind, jobs)?;
    let (slow_calls, calls) = server_stats::end(&mut control)?;
    let storage = list.map(|list| storage::queue(server, &mut control, bytes, list)).transpose()?;
    Ok(Queue { kind, jobs, verbs, longest: meter.beside(&first), slow_calls, calls, storage })
}

/// Fills the queue and tries each verb; the bytes of a job, and what each verb costs.
fn pass(
    meter: &Meter<'_>,
    control: &mut Connection,
    kind: Kind,
    jobs: usize,
) -> Result<(f64, command_costs::Costs), String> {
    let empty = control.info(b"memory", "used_memory")?;
    let mut ids = fill(meter, control, kind, jobs)?;
    let bytes = (control.info(b"memory", "used_memory")? - empty) / jobs as f64;
    let held = if kind == Kind::Active { take(meter, control, jobs, &mut ids)? } else { vec![] };
    let mut verbs = match kind {
        Kind::GroupsAtLimit => groups_at_limit::verbs(meter, control, jobs)?,
        Kind::GroupsAtRate => groups_at_rate::verbs(meter, control, jobs)?,
        Kind::Lingering => lingering::verbs(meter, control)?,
        _ => command_costs::all(meter, control, kind, (jobs, &ids), &held)?,
    };
    if kind == Kind::Groups {
        verbs.extend(lingering::grouped(meter, control, jobs)?);
    }
    Ok((bytes, verbs))
}

fn fill(meter: &Meter<'_>, control: &mut Connection, kind: Kind, jobs: usize) -> Result<JobIds, String> {
    let mut ids = JobIds::default();
    let payloads = payloads();
    // Few at once where there are many lanes, so that a small queue has as many of them as it has
    // jobs.
    let batch = (jobs / kind.lanes()).clamp(1, 1_000);
    let count = batch.to_string();
    for number in 0..jobs / batch {
        let options = kind.options(number);
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", count.as_bytes()];
        words.extend(payloads.iter().cycle().skip(number).take(batch).map(|payload| &payload[..]));
        words.extend(options.iter().map(String::as_bytes));
        let (pushed, _) = meter.exchange(|| control.call(&words))?;
        ids.note(&pushed.at(0).at(0).text())?;
    }
    Ok(ids)
}

/// Takes up to 100,000 jobs, and puts as many in their place.
fn take(
    meter: &Meter<'_>,
    control: &mut Connection,
    jobs: usize,
    ids: &mut JobIds,
) -> Result<Vec<Held>, String> {
    let wanted = ACTIVE.min(jobs);
    let mut held = Vec::new();
    while held.len() < wanted {
        let some: [&[u8]; 6] = [b"JOBQ.POP", b"q", b"COUNT", b"1000", b"LEASE", b"1h"];
        let (popped, _) = meter.exchange(|| control.call(&some))?;
        held.extend((0..popped.len()).map(|job| held_of(popped.at(job))));
    }
    ids.extend(fill(meter, control, Kind::Active, wanted)?);
    Ok(held)
}
