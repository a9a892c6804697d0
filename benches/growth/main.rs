//! What a verb costs as a queue grows, what a job takes in memory and on disk, and what a check costs over many
//! keys. Writes `docs/growth.md`.
//!
//! ```text
//! jobs      one queue of N jobs: each verb, memory, RDB, fork
//! checks    RATELIMIT.CHECK over N keys
//! load      commands in a pipeline, and the server's CPU for them
//! report    the page
//! ```

mod checks;
mod jobs;
mod load;
#[path = "../peers/page.rs"]
mod page;
mod report;
#[path = "../peers/resp.rs"]
mod resp;
#[allow(dead_code)] // of two kinds of persistence this needs one
#[path = "../peers/server.rs"]
mod server;

use std::cell::Cell;
use std::process::ExitCode;

use page::Options;
use server::{Persistence, Server};

fn measure(options: &Options, largest: usize) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let version = start()?.version()?;
    let sizes: Vec<usize> =
        [1_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size <= largest).collect();
    let mut queues = Vec::new();
    for kind in [jobs::Kind::Ready, jobs::Kind::Delayed] {
        for &size in &sizes {
            eprintln!("growth: {size} jobs, {}", kind.word());
            queues.push(jobs::measure(&start()?, kind, size)?);
        }
    }
    let mut keys = Vec::new();
    for size in [1_000, 100_000, 1_000_000] {
        eprintln!("growth: checks over {size} keys");
        keys.push(checks::measure(&start()?, size)?);
    }
    Ok(report::page(&version, &queues, &keys))
}

fn main() -> ExitCode {
    // `--jobs`: the largest queue.
    let largest = Cell::new(10_000_000);
    let jobs = |word: &str, value: &str| {
        let known = word == "--jobs";
        if known {
            largest.set(value.parse().map_err(|_| format!("--jobs {value} is no number"))?);
        }
        Ok(known)
    };
    page::run("bench-growth", std::env::args().skip(1), jobs, |options| measure(options, largest.get()))
}
