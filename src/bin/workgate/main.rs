//! `workgate`: the command line beside the module. It speaks RESP only.
//!
//! # Layout
//!
//! | file | holds |
//! | --- | --- |
//! | `cli/`, `args/` | flags and help, values of flags |
//! | `worker` | `workgate work`: takes jobs while slots are free, then drains |
//! | `job/` | fetching, running and settling jobs: the commands and their replies |
//! | `handler/` | the handler's process, its output, its process group, what its exit status means |
//! | `redis/` | connections that come back, to a server or a cluster |
//! | `shutdown` | phases of stopping, and the signals that begin them |
//! | `reply` | the server's replies, read |

mod args;
mod cli;
mod handler;
mod job;
mod redis;
#[path = "../shared/reply.rs"]
mod reply;
mod shutdown;
mod worker;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("WORKGATE_LOG").unwrap_or_else(|_| EnvFilter::new("workgate=info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("workgate: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match cli.command {
        Command::Work(args) => runtime.block_on(worker::main(args)),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("workgate: {failure}");
            ExitCode::FAILURE
        }
    }
}
