//! A POP that lingers for more jobs than are ready: beside many that are not due, or of one group
//! where many groups have jobs.

use std::thread::sleep;
use std::time::Duration;

use crate::command_costs::Costs;
use crate::cpu_meter::Meter;
use crate::job_kinds::{Held, Kind, held, push};
use crate::pipeline;
use crate::support::resp::{Connection, write};

/// Fewer jobs than it lingers for are ready at any time.
const READY: usize = 200;
const LINGERS_FOR: &[u8] = b"1000";
const ROUNDS: usize = 20;
const PAYLOAD: [u8; 200] = [b'p'; 200];

/// A client that lingers for more jobs than there will be.
fn linger(meter: &Meter<'_>, control: &mut Connection, how: &[&[u8]]) -> Result<Connection, String> {
    let mut lingering = meter.server().connect()?;
    let mut wire = Vec::new();
    let pop: [&[u8]; 8] = [b"JOBQ.POP", b"q", b"COUNT", LINGERS_FOR, b"LINGER", b"1d", b"BLOCK", b"1d"];
    write(&mut wire, &[&pop[..], how].concat());
    lingering.send(&wire)?;
    while control.info(b"clients", "blocked_clients")? < 1.0 {
        sleep(Duration::from_millis(1));
    }
    Ok(lingering)
}

/// Pushes to groups of which none has as many jobs as a GROUPED POP lingers for, and batches of the
/// one that has few.
pub fn grouped(meter: &Meter<'_>, control: &mut Connection, jobs: usize) -> Result<Costs, String> {
    let _lingering = linger(meter, control, &[b"GROUPED"])?;
    let pushed = pipeline::run(meter, control, 10_000.min(jobs / 4), |wire, number| {
        push(wire, Kind::Groups, number, &PAYLOAD);
    })?;
    // As many as no other group has.
    let count = (jobs / Kind::Groups.lanes()).max(1) + 100;
    let (number, mut batch) = (count.to_string(), 0);
    for _ in 0..ROUNDS {
        let mut many: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", number.as_bytes()];
        many.extend(std::iter::repeat_n(&PAYLOAD[..], count));
        many.extend([&b"GROUP"[..], b"full"]);
        control.call(&many)?;
        let full: [&[u8]; 9] =
            [b"JOBQ.POP", b"q", b"COUNT", number.as_bytes(), b"LINGER", b"1d", b"GROUPED", b"BLOCK", b"1d"];
        let (popped, cpu) = meter.exchange(|| control.call(&full))?;
        if popped.len() != count {
            return Err(format!("a full batch has {} jobs", popped.len()));
        }
        batch += cpu;
        for job in 0..popped.len() {
            let (id, token) = held(popped.at(job));
            control.call(&[b"JOBQ.ACK", b"q", id.as_bytes(), token.as_bytes()])?;
        }
    }
    Ok(vec![
        ("PUSH while one lingers for a group", pushed.0),
        ("POP LINGER GROUPED of a full group, a job", batch as f64 / 1e3 / (ROUNDS * count) as f64),
    ])
}

pub fn verbs(meter: &Meter<'_>, control: &mut Connection) -> Result<Costs, String> {
    let _lingering = linger(meter, control, &[])?;
    let (mut push, mut popped, mut ack, mut batch) = (0.0, 0.0, 0.0, 0);
    for _ in 0..ROUNDS {
        push += pipeline::run(meter, control, READY, |wire, _| {
            write(wire, &[b"JOBQ.PUSH", b"q", &PAYLOAD]);
        })?
        .0;
        let jobs = pipeline::run(meter, control, READY / 2, |wire, _| write(wire, &[b"JOBQ.POP", b"q"]))?;
        popped += jobs.0;
        let jobs: Vec<Held> = jobs.1.iter().map(|reply| held(reply.at(0))).collect();
        ack += pipeline::run(meter, control, jobs.len(), |wire, number| {
            let (id, token) = &jobs[number];
            write(wire, &[b"JOBQ.ACK", b"q", id.as_bytes(), token.as_bytes()]);
        })?
        .0;
        // As many as it lingers for are there.
        let full: [&[u8]; 8] = [b"JOBQ.POP", b"q", b"COUNT", b"100", b"LINGER", b"1d", b"BLOCK", b"1d"];
        let (jobs, cpu) = meter.exchange(|| control.call(&full))?;
        if jobs.len() != READY / 2 {
            return Err(format!("a full batch has {} jobs", jobs.len()));
        }
        batch += cpu;
    }
    let rounds = ROUNDS as f64;
    Ok(vec![
        ("PUSH while one lingers", push / rounds),
        ("POP while one lingers", popped / rounds),
        ("ACK while one lingers", ack / rounds),
        ("POP COUNT 100 LINGER of a full batch, a job", batch as f64 / 1e3 / rounds / 100.0),
    ])
}
