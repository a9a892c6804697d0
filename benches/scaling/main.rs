//! What a verb costs as a queue grows, what a job takes in memory and on disk, and what a check
//! costs over many keys. Writes `docs/benchmarks/scaling.md`.
//!
//! ```text
//! queue            one queue of N jobs of one kind      job_kinds        what the jobs of a queue are like
//! command_costs    what each command costs on it        drain            many jobs that are due in the same second
//! storage          memory, RDB file and fork            ratelimit_check  RATELIMIT.CHECK over N keys
//! groups_at_limit  groups that are at their limit       pipeline         commands in a pipeline, and their CPU
//! groups_at_rate   groups that have used up their rates lingering        a POP that waits for many jobs
//! cpu_meter        the CPU of each exchange             server_stats     the slow log and the counts of commands
//! report           the page                             charts           its pictures
//! job_ids          the ids that the queue has given
//! ```

mod charts;
mod command_costs;
mod cpu_meter;
mod drain;
mod groups_at_limit;
mod groups_at_rate;
mod job_ids;
mod job_kinds;
mod lingering;
mod pipeline;
mod queue;
mod ratelimit_check;
mod report;
mod server_stats;
mod storage;
#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;
use std::process::ExitCode;

use support::page::Options;
use support::server::{Persistence, Server};

fn measure(options: &Options, largest: usize) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let version = start()?.version()?;
    let sizes: Vec<usize> =
        [1_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size <= largest).collect();
    let mut queues = Vec::new();
    for kind in job_kinds::KINDS {
        for &size in &sizes {
            eprintln!("scaling: {} {}", charts::grouped(size), kind.title());
            queues.push(queue::measure(&start()?, kind, size)?);
        }
        if let Some(folder) = options.folder() {
            charts::draw(folder, kind, &report::of(&queues, kind))?;
        }
    }
    eprintln!("scaling: jobs due in the same second");
    let mut drain = drain::measure(&start()?, DUE_AT_ONCE.min(largest))?;
    let again = drain::measure(&start()?, DUE_AT_ONCE.min(largest))?;
    drain.longest = drain.longest.or(again.longest);
    let mut keys = Vec::new();
    for size in [1_000, 100_000, 1_000_000] {
        eprintln!("scaling: checks over {size} keys");
        keys.push(ratelimit_check::measure(&start()?, size)?);
    }
    Ok(report::page(&report::Run { version, queues: &queues, drain: &drain, keys: &keys }))
}

/// Jobs that are due in the same second.
const DUE_AT_ONCE: usize = 1_000_000;

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
    support::page::run("bench-scaling", std::env::args().skip(1), jobs, |options| {
        measure(options, largest.get())
    })
}
