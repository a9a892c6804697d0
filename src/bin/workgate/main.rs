//! `workgate`: the command line beside the module. It speaks RESP only.
//!
//! # Layout
//!
//! | file | holds |
//! | --- | --- |
//! | `cli/`, `args/` | flags and help, values of flags |
//! | `operate/` | `workgate push`, `stats`, `dead`, `top` and `health` |
//! | `log` | what is logged, and how |
//! | `worker` | `workgate work`: takes jobs while slots are free, then drains |
//! | `job/` | fetching, running and settling jobs: the commands and their replies |
//! | `handler/` | the handler's process, its output, its process group, what its exit status means |
//! | `redis/` | connections that come back, to a server or a cluster |
//! | `serve/` | what is shown over HTTP: metrics, health, the dashboard |
//! | `worker_metrics` | what a worker counts |
//! | `traces/` | the traces that jobs belong to, and spans by OTLP (feature `otlp`) |
//! | `web_client` | requests by HTTP |
//! | `shutdown` | phases of stopping, and the signals that begin them |
//! | `reply` | the server's replies, read |

mod args;
mod cli;
mod handler;
mod job;
mod log;
mod operate;
mod redis;
#[path = "../shared/reply.rs"]
mod reply;
mod serve;
mod shutdown;
mod traces;
mod web_client;
mod worker;
mod worker_metrics;

use std::process::ExitCode;

use cli::{Cli, Command};

/// Why the program ends without success.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub text: String,
    status: u8,
}

impl Failure {
    /// It could not go on: status 1.
    pub fn of(text: impl Into<String>) -> Self {
        Failure { text: text.into(), status: 1 }
    }

    /// What was given is wrong: status 2, as for a wrong flag.
    pub fn usage(text: impl Into<String>) -> Self {
        Failure { text: text.into(), status: 2 }
    }
}

fn main() -> ExitCode {
    let outcome = Cli::read().and_then(run);
    outcome.unwrap_or_else(|failure| {
        eprintln!("workgate: {}", failure.text);
        ExitCode::from(failure.status)
    })
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    log::begin(&cli.log)?;
    // The one that this program is built with; connections to clusters take the process's default.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::of(format!("cannot start: {error}")))?;
    match cli.command {
        Command::Work(args) => runtime.block_on(worker::main(*args)),
        Command::Serve(args) => runtime.block_on(serve::start::main(args)),
        Command::Push(args) => runtime.block_on(operate::push::main(args)),
        Command::Stats(args) => runtime.block_on(operate::stats::main(args)),
        Command::Dead(args) => runtime.block_on(operate::dead::main(args)),
        Command::Top(args) => runtime.block_on(operate::top::main(args)),
        Command::Health(args) => runtime.block_on(operate::health::main(args)),
    }
}
