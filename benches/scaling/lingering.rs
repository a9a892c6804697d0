//! A POP that lingers for more jobs than are ready, beside many that are not due.

use std::thread::sleep;
use std::time::Duration;

use crate::command_costs::Costs;
use crate::cpu_meter::Meter;
use crate::job_kinds::{Held, held};
use crate::pipeline;
use crate::support::resp::{Connection, write};

/// Fewer jobs than it lingers for are ready at any time.
const READY: usize = 200;
const LINGERS_FOR: &[u8] = b"1000";
const ROUNDS: usize = 20;
const PAYLOAD: [u8; 200] = [b'p'; 200];

pub fn verbs(meter: &Meter<'_>, control: &mut Connection) -> Result<Costs, String> {
    let mut lingering = meter.server().connect()?;
    let mut wire = Vec::new();
    let pop: [&[u8]; 8] = [b"JOBQ.POP", b"q", b"COUNT", LINGERS_FOR, b"LINGER", b"1d", b"BLOCK", b"1d"];
    write(&mut wire, &pop);
    lingering.send(&wire)?;
    while control.info(b"clients", "blocked_clients")? < 1.0 {
        sleep(Duration::from_millis(1));
    }
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
