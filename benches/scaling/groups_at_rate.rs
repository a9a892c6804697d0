//! Groups that have used up their rates: each has started a job, and only new groups have one to
//! give.

use crate::command_costs::Costs;
use crate::cpu_meter::Meter;
use crate::job_kinds::{Kind, push};
use crate::pipeline;
use crate::support::resp::{Connection, write};

/// Groups that come, have their job popped and acknowledged, one after the other.
const NEW_GROUPS: usize = 2_000;
const PAYLOAD: [u8; 200] = [b'p'; 200];

pub fn verbs(meter: &Meter<'_>, control: &mut Connection, jobs: usize) -> Result<Costs, String> {
    let mut set: Vec<&[u8]> = vec![b"JOBQ.CONFIG", b"SET", b"q"];
    set.extend([&b"group_rate"[..], b"1/1d", b"group_concurrency", b"off"]);
    control.call(&set)?;
    start_one_of_each(meter, control)?;
    let calls = 10_000.min(jobs / 4);
    let pushed = pipeline::run(meter, control, calls, |wire, number| {
        push(wire, Kind::GroupsAtRate, number % jobs, &PAYLOAD);
    })?;
    let idle = pipeline::run(meter, control, calls, |wire, _| write(wire, &[b"JOBQ.POP", b"q"]))?;
    let mut taken = 0;
    for number in 0..NEW_GROUPS {
        let group = format!("new-{number}");
        let push: [&[u8]; 5] = [b"JOBQ.PUSH", b"q", &PAYLOAD, b"GROUP", group.as_bytes()];
        let (popped, cpu) = meter.exchange(|| {
            control.call(&push)?;
            let popped = control.call(&[b"JOBQ.POP", b"q"])?;
            if popped.len() != 1 {
                return Err("the new group gave no job".into());
            }
            let (id, token) = (popped.at(0).at(0).text(), popped.at(0).at(1).int().to_string());
            control.call(&[b"JOBQ.ACK", b"q", id.as_bytes(), token.as_bytes()])
        })?;
        if popped.text() != "OK" {
            return Err(format!("ACK answered {popped:?}"));
        }
        taken += cpu;
    }
    Ok(vec![
        ("PUSH to one at its rate", pushed.0),
        ("POP that finds none", idle.0),
        ("PUSH, POP and ACK of a new group, in turns", taken as f64 / 1e3 / NEW_GROUPS as f64),
    ])
}

/// Starts jobs until all groups are at their rates.
fn start_one_of_each(meter: &Meter<'_>, control: &mut Connection) -> Result<(), String> {
    loop {
        let all: [&[u8]; 6] = [b"JOBQ.POP", b"q", b"COUNT", b"1000", b"LEASE", b"1h"];
        let (popped, _) = meter.exchange(|| control.call(&all))?;
        if popped.len() == 0 {
            return Ok(());
        }
    }
}
