//! `workgate-demo`: webhook traffic through rate limits, idempotency, the queue, the worker and the
//! cache, on a real server, with a summary that adds up. `make demo` runs it.
//!
//! # Layout
//!
//! | file | holds |
//! | --- | --- |
//! | `cli` | flags |
//! | `run` | the demo from start to summary |
//! | `feed/` | the file of deliveries: its lines, its generator, its counts |
//! | `frontend` | acknowledges one delivery as an HTTP front end would |
//! | `frontends` | runs many front ends at once |
//! | `handler` | what the worker runs for every job |
//! | `accounting/` | what was planned, answered and run, and the equations that compare them |
//! | `process/` | the server and the worker that the demo starts and ends |
//! | `progress`, `summary` | what the demo prints |

mod accounting;
mod cli;
mod feed;
mod frontend;
mod frontends;
mod handler;
mod process;
mod progress;
#[path = "../shared/reply.rs"]
mod reply;
mod run;
mod summary;

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, Command};

/// The conventional status of a process ended by SIGINT.
const INTERRUPTED: u8 = 130;

/// The conventional status of a wrong command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match (cli.command, cli.demo) {
        // Once per job, so without a runtime.
        (Some(Command::Handler(args)), _) => handler::main(&args),
        (None, None) => {
            eprintln!("workgate-demo: --server, --module and --worker are needed; `make demo` gives them");
            ExitCode::from(USAGE)
        }
        (None, Some(args)) => {
            match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
                Ok(runtime) => runtime.block_on(until_interrupted(args)),
                Err(error) => {
                    eprintln!("workgate-demo: cannot start: {error}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

/// Whatever ends the demo, what it started ends with it: each process and folder is a guard in
/// `show`.
async fn until_interrupted(args: cli::DemoArgs) -> ExitCode {
    tokio::select! {
        shown = run::show(&args) => match shown {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                eprintln!("\nworkgate-demo: {failure}");
                ExitCode::FAILURE
            }
        },
        name = interrupted() => {
            eprintln!("\nworkgate-demo: {name}, stopping what was started");
            ExitCode::from(INTERRUPTED)
        }
    }
}

async fn interrupted() -> &'static str {
    let signals =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut int), Ok(mut term), Ok(mut hup)) = signals else {
        // Without them the demo still ends by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => "interrupted",
        _ = term.recv() => "terminated",
        _ = hup.recv() => "hung up",
    }
}
