//! What a verb costs as a queue grows, what a job takes in memory and on disk, and what a check costs over many
//! keys. Writes `docs/growth.md`.
//!
//! ```text
//! queue     one queue of N jobs, of one kind          drain     many jobs that are due in the same second
//! verbs     what each verb costs on it                checks    RATELIMIT.CHECK over N keys
//! storage   memory, RDB file and fork                 load      commands in a pipeline, and the server's CPU for them
//! limits    groups that are at theirs                 meter     the CPU of each exchange
//! stats     the server's slow log and counts          report    the page          charts    its pictures
//! ```

#[path = "../peers/bars.rs"]
mod bars;
mod charts;
mod checks;
mod drain;
mod limits;
mod load;
#[path = "../peers/machine.rs"]
mod machine;
mod meter;
#[path = "../peers/page.rs"]
mod page;
mod queue;
mod report;
#[path = "../peers/resp.rs"]
mod resp;
#[allow(dead_code)] // of two kinds of persistence this needs one
#[path = "../peers/server.rs"]
mod server;
mod stats;
mod storage;
mod verbs;

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
    for kind in queue::KINDS {
        for &size in &sizes {
            eprintln!("growth: {} {}", charts::grouped(size), kind.title());
            queues.push(queue::measure(&start()?, kind, size)?);
        }
        if let Some(folder) = options.folder() {
            charts::draw(folder, kind, &report::of(&queues, kind))?;
        }
    }
    eprintln!("growth: jobs due in the same second");
    let mut drain = drain::measure(&start()?, DUE_AT_ONCE.min(largest))?;
    let again = drain::measure(&start()?, DUE_AT_ONCE.min(largest))?;
    drain.longest = drain.longest.or(again.longest);
    let mut keys = Vec::new();
    for size in [1_000, 100_000, 1_000_000] {
        eprintln!("growth: checks over {size} keys");
        keys.push(checks::measure(&start()?, size)?);
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
    page::run("bench-growth", std::env::args().skip(1), jobs, |options| measure(options, largest.get()))
}
