//! Memory, RDB files and forks, beside a list of the same payloads.

use std::time::Instant;

use crate::job_kinds::payloads;
use crate::support::resp::Connection;
use crate::support::server::Server;

pub struct Storage {
    /// Of one job, or one entry of the list.
    pub bytes: f64,
    pub save_s: f64,
    pub rdb_bytes: f64,
    pub list: List,
    /// Saving and loading again.
    pub reload_s: f64,
    pub fork_ms: f64,
}

pub struct List {
    pub bytes: f64,
    pub save_s: f64,
    pub rdb_bytes: f64,
}

/// The same payloads in a list.
pub fn list(server: &Server, control: &mut Connection, jobs: usize) -> Result<List, String> {
    let payloads = payloads();
    let empty = control.info(b"memory", "used_memory")?;
    for _ in 0..jobs / 1_000 {
        let mut words: Vec<&[u8]> = vec![b"RPUSH", b"list"];
        words.extend(payloads.iter().map(|payload| &payload[..]));
        control.call(&words)?;
    }
    let bytes = (control.info(b"memory", "used_memory")? - empty) / jobs as f64;
    let (save_s, size) = save(server, control)?;
    control.call(&[b"DEL", b"list"])?;
    Ok(List { bytes, save_s, rdb_bytes: size / jobs as f64 })
}

/// The queue, and the bytes that its jobs take.
pub fn queue(server: &Server, control: &mut Connection, bytes: f64, list: List) -> Result<Storage, String> {
    let jobs = control.call(&[b"JOBQ.STATS", b"q"])?;
    let jobs: i64 = (0..jobs.len() / 2)
        .filter(|field| COUNTS.contains(&jobs.at(2 * field).text().as_str()))
        .map(|field| jobs.at(2 * field + 1).int())
        .sum();
    let (save_s, size) = save(server, control)?;
    control.call(&[b"BGSAVE"])?;
    while control.info(b"persistence", "rdb_bgsave_in_progress")? > 0.0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let fork_ms = control.info(b"stats", "latest_fork_usec")? / 1e3;
    let begun = Instant::now();
    control.call(&[b"DEBUG", b"RELOAD"])?;
    let reload_s = begun.elapsed().as_secs_f64();
    Ok(Storage { bytes, save_s, rdb_bytes: size / jobs as f64, list, reload_s, fork_ms })
}

/// States whose jobs are in the file.
const COUNTS: [&str; 5] = ["ready", "delayed", "active", "done", "dead"];

/// Seconds to save, and the size of the file.
fn save(server: &Server, control: &mut Connection) -> Result<(f64, f64), String> {
    let begun = Instant::now();
    control.call(&[b"SAVE"])?;
    Ok((begun.elapsed().as_secs_f64(), server.snapshot_size()? as f64))
}
