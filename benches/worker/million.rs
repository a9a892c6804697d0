//! A million jobs through the worker's own fetch path: pushed, run by a handler that does nothing,
//! and acknowledged.

use std::time::Instant;

use crate::support::resp::{Connection, write};
use crate::support::server::Server;
use crate::worker_process::{Worker, count};

/// How many jobs go in one MPUSH.
const BATCH: usize = 500;

/// As many bytes as the payloads of the rivals.
const PAYLOAD: &[u8] = &[b'p'; 100];

#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub jobs: usize,
    pub push_seconds: f64,
    /// From the start of the worker's process to its end.
    pub work_seconds: f64,
    /// The server's CPU in microseconds a job, from push to ack.
    pub server_us: f64,
    /// The worker's CPU in microseconds a job.
    pub worker_us: f64,
}

impl Outcome {
    /// Jobs a second, from the first push to the last ack.
    pub fn rate(&self) -> f64 {
        self.jobs as f64 / (self.push_seconds + self.work_seconds)
    }
}

/// Refuses an outcome in which a job was lost or run twice.
pub fn measure(server: &Server, jobs: usize, level: &str) -> Result<Outcome, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let cpu = server.cpu()?;
    let begun = Instant::now();
    push(&mut control, jobs)?;
    let push_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let flags = ["--null", "--concurrency", "8", "--batch", "250", "--until-empty"];
    let worker = Worker::start(server, level, &flags)?;
    let before = children_us()?;
    let printed = worker.end()?;
    let work_seconds = begun.elapsed().as_secs_f64();
    let worker_us = (children_us()? - before) / jobs as f64;
    let server_us = (server.cpu()? - cpu) as f64 / 1_000.0 / jobs as f64;
    let runs: usize = printed.trim().parse().map_err(|_| format!("the worker printed '{printed}'"))?;
    let acked = count(&mut control, "acked")?;
    // Each of as many jobs as runs has been acknowledged: each was run once.
    if runs != jobs || acked != jobs {
        return Err(format!("{jobs} jobs were pushed, {acked} acknowledged, in {runs} runs"));
    }
    Ok(Outcome { jobs, push_seconds, work_seconds, server_us, worker_us })
}

/// CPU time of this process's children that have ended, in microseconds.
fn children_us() -> Result<f64, String> {
    /// USER_HZ of Linux.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // Behind the program's name, which may hold anything.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: Vec<f64> = fields.skip(13).take(2).filter_map(|word| word.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND * 1e6)
}

/// In calls of [`BATCH`] jobs, of which two are on their way.
pub fn push(control: &mut Connection, jobs: usize) -> Result<(), String> {
    let mut wire = Vec::new();
    let mut left = jobs;
    let mut open = 0;
    while left > 0 || open > 0 {
        if left > 0 && open < 2 {
            let batch = left.min(BATCH);
            let count = batch.to_string();
            let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", count.as_bytes()];
            words.resize(3 + batch, PAYLOAD);
            wire.clear();
            write(&mut wire, &words);
            control.send(&wire)?;
            left -= batch;
            open += 1;
        } else {
            if let crate::support::resp::Reply::Error(text) = control.reply()? {
                return Err(format!("JOBQ.MPUSH: {text}"));
            }
            open -= 1;
        }
    }
    Ok(())
}
