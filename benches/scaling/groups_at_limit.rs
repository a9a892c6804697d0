//! Groups that are at their limit: one job of each is active, and only one group has a job to give.

use crate::command_costs::Costs;
use crate::cpu_meter::Meter;
use crate::job_kinds::{Kind, held, push};
use crate::pipeline;
use crate::support::resp::{Connection, write};

/// Pairs of POP and ACK, one after the other.
const PAIRS: usize = 2_000;
/// The group that is free: that of the first push.
const FREE: &str = "0";
const PAYLOAD: [u8; 200] = [b'p'; 200];

pub fn verbs(meter: &Meter<'_>, control: &mut Connection, jobs: usize) -> Result<Costs, String> {
    let mut free = take_all(meter, control)?;
    for _ in 0..PAIRS {
        control.call(&[b"JOBQ.PUSH", b"q", &PAYLOAD, b"GROUP", FREE.as_bytes()])?;
    }
    let mut costs = Vec::new();
    let calls = 10_000.min(jobs / 4);
    let pushed = pipeline::run(meter, control, calls, |wire, number| {
        // The first number is the free group.
        push(wire, Kind::GroupsAtLimit, number % (jobs - 1) + 1, &PAYLOAD);
    })?;
    costs.push(("PUSH to one at its limit", pushed.0));
    let idle = pipeline::run(meter, control, calls, |wire, _| write(wire, &[b"JOBQ.POP", b"q"]))?;
    costs.push(("POP that finds none", idle.0));
    let mut taken = 0;
    for _ in 0..PAIRS {
        let (popped, cpu) = meter.exchange(|| {
            control.call(&[b"JOBQ.ACK", b"q", free.0.as_bytes(), free.1.as_bytes()])?;
            control.call(&[b"JOBQ.POP", b"q"])
        })?;
        taken += cpu;
        if popped.len() != 1 {
            return Err("the free group gave no job".into());
        }
        free = held(popped.at(0));
    }
    let pair = taken as f64 / 1e3 / PAIRS as f64;
    costs.push(("ACK and POP of the free one, in turns", pair));
    Ok(costs)
}

/// Takes a job of every group; that of the free one.
fn take_all(meter: &Meter<'_>, control: &mut Connection) -> Result<(String, String), String> {
    let mut free = None;
    loop {
        let all: [&[u8]; 6] = [b"JOBQ.POP", b"q", b"COUNT", b"1000", b"LEASE", b"1h"];
        let (popped, _) = meter.exchange(|| control.call(&all))?;
        if popped.len() == 0 {
            return free.ok_or_else(|| "no job was of the free group".into());
        }
        for at in 0..popped.len() {
            let job = popped.at(at);
            if job.at(7).text() == FREE {
                free = Some(held(job));
            }
        }
    }
}
