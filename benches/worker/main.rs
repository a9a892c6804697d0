//! What the worker does in a second, beside INCR and the workers of others, and how soon it has a
//! job. `make bench-worker` calls it.

#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;

mod handlers;
mod incr;
mod latency;
mod million;
mod report;
mod rivals;
mod worker_process;

use std::path::PathBuf;
use std::process::ExitCode;

use support::page::Options;
use support::server::{Persistence, Server};

/// INCR, ours and the rivals are measured in turn, so many times; of each ratio the median counts.
const ROUNDS: usize = 3;

/// What one round measured.
pub struct Round {
    /// Of INCR, a second.
    pub incr: f64,
    pub ours: million::Outcome,
    /// By name, each in the order of [`rivals::ALL`].
    pub rivals: Vec<Option<rivals::Outcome>>,
}

/// Where the programs of others are, and how many jobs are run.
struct More {
    rivals: Option<PathBuf>,
    python: Vec<(String, PathBuf)>,
    jobs: usize,
    rounds: usize,
}

fn measure(options: &Options, more: &More) -> Result<String, String> {
    let mut rounds = Vec::new();
    for round in 0..more.rounds {
        eprintln!("bench-worker: round {} of {}", round + 1, more.rounds);
        let start = |with_module: bool| {
            let modules = if with_module { vec![options.module.clone()] } else { Vec::new() };
            Server::start(&options.server, &modules, Persistence::Off)
        };
        let incr = incr::rate(&start(false)?)?;
        let ours = million::measure(&start(true)?, more.jobs, "warn")?;
        let mut others = Vec::new();
        for rival in rivals::ALL {
            let outcome = match &more.rivals {
                Some(folder) => rival.measure(folder, &start(false)?),
                None => Err("not built".into()),
            };
            if let Err(reason) = &outcome {
                eprintln!("bench-worker: {}: {reason}", rival.name);
            }
            others.push(outcome.ok());
        }
        rounds.push(Round { incr, ours, rivals: others });
    }
    let server = Server::start(&options.server, std::slice::from_ref(&options.module), Persistence::Off)?;
    let logged = million::measure(&server, more.jobs / 4, "info")?;
    let handlers = handlers::measure(&server, &more.python)?;
    let latency = latency::measure(&server)?;
    Ok(report::page(&report::Measured {
        server: server.version()?,
        jobs: more.jobs,
        rounds,
        logged,
        handlers,
        latency,
    }))
}

fn main() -> ExitCode {
    let more =
        std::cell::RefCell::new(More { rivals: None, python: Vec::new(), jobs: 1_000_000, rounds: ROUNDS });
    let read = |word: &str, value: &str| {
        let mut more = more.borrow_mut();
        let number = || value.parse().map_err(|_| format!("{word} '{value}': expected a number"));
        match word {
            "--worker" => worker_process::choose(value.into()),
            "--rivals" => more.rivals = Some(value.into()),
            "--python-rival" => {
                let (name, folder) = value.split_once('=').ok_or("--python-rival: expected NAME=FOLDER")?;
                more.python.push((name.into(), folder.into()));
            }
            "--jobs" => more.jobs = number()?,
            "--rounds" => more.rounds = number()?,
            _ => return Ok(false),
        }
        Ok(true)
    };
    support::page::run("bench-worker", std::env::args().skip(1), read, |options: &Options| {
        measure(options, &more.borrow())
    })
}
