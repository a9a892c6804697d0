//! One queue of many jobs.

use std::time::Instant;

use crate::load;
use crate::resp::{Connection, write};
use crate::server::Server;

/// A thousand payloads of 200 bytes that do not compress.
fn payloads() -> Vec<[u8; 200]> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..1_000).map(|_| std::array::from_fn(|_| byte())).collect()
}

/// Of each verb.
const CALLS: usize = 10_000;
/// A call of more CPU than this is one too many, in microseconds.
const SLOW: &[u8] = b"5000";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ready,
    Delayed,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Ready => "waiting",
            Kind::Delayed => "delayed",
        }
    }
}

pub struct Queue {
    pub kind: Kind,
    pub jobs: usize,
    /// (verb, server CPU in microseconds a call)
    pub verbs: Vec<(&'static str, f64)>,
    pub slow_calls: i64,
    pub bytes_a_job: f64,
    pub list_bytes: f64,
    pub save_s: f64,
    pub rdb_bytes: f64,
    pub list_save_s: f64,
    pub list_rdb_bytes: f64,
    /// Saving and loading again.
    pub reload_s: f64,
    pub fork_ms: f64,
}

pub fn measure(server: &Server, kind: Kind, jobs: usize) -> Result<Queue, String> {
    let mut control = server.connect()?;
    let delay: &[u8] = if kind == Kind::Delayed { b"1h" } else { b"0s" };
    let payloads = payloads();
    let list = list(server, &mut control, jobs, &payloads)?;
    let empty = control.info(b"memory", "used_memory")?;
    fill(&mut control, jobs, |wire, batch| {
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", b"1000"];
        words.extend(payloads.iter().take(batch).map(|payload| &payload[..]));
        words.extend([&b"DELAY"[..], delay]);
        write(wire, &words);
    })?;
    let bytes_a_job = (control.info(b"memory", "used_memory")? - empty) / jobs as f64;
    control.call(&[b"CONFIG", b"SET", b"slowlog-log-slower-than", SLOW])?;
    control.call(&[b"SLOWLOG", b"RESET"])?;
    let verbs = verbs(server, &mut control, kind, jobs)?;
    let slow_calls = control.call(&[b"SLOWLOG", b"LEN"])?.int();
    let (save_s, rdb_bytes) = save(server, &mut control)?;
    control.call(&[b"BGSAVE"])?;
    while control.info(b"persistence", "rdb_bgsave_in_progress")? > 0.0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let fork_ms = control.info(b"stats", "latest_fork_usec")? / 1e3;
    let begun = Instant::now();
    let reload_s = match control.call(&[b"DEBUG", b"RELOAD"]) {
        Ok(_) => begun.elapsed().as_secs_f64(),
        Err(_) => f64::NAN,
    };
    Ok(Queue {
        kind,
        jobs,
        verbs,
        slow_calls,
        bytes_a_job,
        list_bytes: list.0,
        save_s,
        rdb_bytes,
        list_save_s: list.1,
        list_rdb_bytes: list.2,
        reload_s,
        fork_ms,
    })
}

fn fill(control: &mut Connection, jobs: usize, command: impl Fn(&mut Vec<u8>, usize)) -> Result<(), String> {
    for _ in 0..jobs / 1_000 {
        let mut wire = Vec::new();
        command(&mut wire, 1_000);
        control.send(&wire)?;
        control.reply()?;
    }
    Ok(())
}

/// The same payloads in a list: bytes each, seconds to save, bytes of the file each.
fn list(
    server: &Server,
    control: &mut Connection,
    jobs: usize,
    payloads: &[[u8; 200]],
) -> Result<(f64, f64, f64), String> {
    let empty = control.info(b"memory", "used_memory")?;
    fill(control, jobs, |wire, batch| {
        let mut words: Vec<&[u8]> = vec![b"RPUSH", b"list"];
        words.extend(payloads.iter().take(batch).map(|payload| &payload[..]));
        write(wire, &words);
    })?;
    let bytes = (control.info(b"memory", "used_memory")? - empty) / jobs as f64;
    let (seconds, size) = save(server, control)?;
    control.call(&[b"DEL", b"list"])?;
    Ok((bytes, seconds, size / jobs as f64))
}

/// Seconds to save, and the size of the file.
fn save(server: &Server, control: &mut Connection) -> Result<(f64, f64), String> {
    let begun = Instant::now();
    control.call(&[b"SAVE"])?;
    Ok((begun.elapsed().as_secs_f64(), server.snapshot_size()? as f64))
}

/// `#` and a serial in base 36, as the queue names its jobs.
fn id(serial: usize) -> String {
    let mut digits = Vec::new();
    let mut rest = serial;
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36]);
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    digits.push(b'#');
    digits.reverse();
    String::from_utf8_lossy(&digits).into_owned()
}

fn verbs(
    server: &Server,
    control: &mut Connection,
    kind: Kind,
    jobs: usize,
) -> Result<Vec<(&'static str, f64)>, String> {
    let calls = CALLS.min(jobs / 4);
    let delay: &[u8] = if kind == Kind::Delayed { b"1h" } else { b"0s" };
    let mut verbs = Vec::new();
    let payload = [b'p'; 200];
    let push = load::run(server, control, calls, |wire, _| {
        write(wire, &[b"JOBQ.PUSH", b"q", &payload, b"DELAY", delay]);
    })?;
    verbs.push(("PUSH", push.0));
    // The middle of what was there before.
    let cancel = load::run(server, control, calls, |wire, number| {
        write(wire, &[b"JOBQ.CANCEL", b"q", id(jobs / 2 + number).as_bytes()]);
    })?;
    verbs.push(("CANCEL from the middle", cancel.0));
    let get = load::run(server, control, calls, |wire, number| {
        write(wire, &[b"JOBQ.GET", b"q", id(jobs / 4 + number % 100).as_bytes()]);
    })?;
    verbs.push(("GET", get.0));
    if kind == Kind::Ready {
        let pop = load::run(server, control, calls, |wire, _| write(wire, &[b"JOBQ.POP", b"q"]))?;
        verbs.push(("POP", pop.0));
        let held: Vec<(String, String)> =
            pop.1.iter().map(|jobs| (jobs.at(0).at(0).text(), jobs.at(0).at(1).int().to_string())).collect();
        let ack = load::run(server, control, calls, |wire, number| {
            let (id, token) = &held[number];
            write(wire, &[b"JOBQ.ACK", b"q", id.as_bytes(), token.as_bytes()]);
        })?;
        verbs.push(("ACK", ack.0));
        let batches = (calls / 100).max(1);
        let pop = load::run(server, control, batches, |wire, _| {
            write(wire, &[b"JOBQ.POP", b"q", b"COUNT", b"100"]);
        })?;
        verbs.push(("POP COUNT 100, a job", pop.0 / 100.0));
    }
    Ok(verbs)
}
