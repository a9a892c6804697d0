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
mod report;
#[path = "../peers/resp.rs"]
mod resp;
#[allow(dead_code)] // of two kinds of persistence this needs one
#[path = "../peers/server.rs"]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use server::{Persistence, Server};

struct Options {
    server: PathBuf,
    module: PathBuf,
    report: Option<PathBuf>,
    /// The largest queue.
    jobs: usize,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut server, mut module, mut report, mut jobs) = (None, None, None, 10_000_000);
    while let Some(word) = words.next() {
        // What cargo itself gives to every benchmark.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--server" => server = Some(PathBuf::from(value)),
            "--module" => module = Some(PathBuf::from(value)),
            "--report" => report = Some(PathBuf::from(value)),
            "--jobs" => jobs = value.parse().map_err(|_| format!("--jobs {value} is no number"))?,
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    let missing = |name: &str| format!("{name} is missing: run make bench-growth");
    Ok(Options {
        server: server.ok_or_else(|| missing("--server"))?,
        module: module.ok_or_else(|| missing("--module"))?,
        report,
        jobs,
    })
}

fn measure(options: &Options) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let version = start()?.version()?;
    let sizes: Vec<usize> =
        [1_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|size| *size <= options.jobs).collect();
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
    let page = options(std::env::args().skip(1)).and_then(|options| Ok((measure(&options)?, options.report)));
    match page {
        Err(fault) => {
            eprintln!("growth: {fault}");
            ExitCode::FAILURE
        }
        Ok((page, report)) => {
            print!("{page}");
            match report.map(|path| std::fs::write(path, &page)) {
                Some(Err(error)) => {
                    eprintln!("growth: writing the report: {error}");
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            }
        }
    }
}
