//! `workgate`: the command line beside the module. It speaks RESP only.
//!
//! # Layout
//!
//! | file | holds |
//! | --- | --- |
//! | `cli` | flags and help |
//! | `work` | the worker: takes jobs while slots are free, then drains |
//! | `sources` | queues and their shards, grouped by what one POP can ask for |
//! | `turns` | free slots handed round among the sources |
//! | `popper` | JOBQ.POP on its own connection, without losing a job at shutdown |
//! | `attempt` | one run of one job, from its POP to its settlement |
//! | `handler`, `capture`, `group` | the handler's process, its output, its process group |
//! | `verdict` | what an exit status means for the job |
//! | `lease` | renewal while a handler runs |
//! | `settle` | ACK, FAIL and RELEASE, re-sent until they are answered |
//! | `queue`, `job` | the commands and the reply of POP |
//! | `connection`, `link`, `cluster`, `backoff` | connections that come back, to a server or a cluster |
//! | `name` | what the worker is called |
//! | `duration` | `30s`, `15m` and the like |
//! | `shutdown` | phases of stopping, and the signals that begin them |

mod attempt;
mod backoff;
mod capture;
mod cli;
mod cluster;
mod connection;
mod duration;
#[cfg(test)]
mod fake;
mod group;
mod handler;
mod job;
mod lease;
mod link;
mod name;
mod popper;
mod queue;
mod settle;
mod shutdown;
mod sources;
mod turns;
mod verdict;
mod work;

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
        Command::Work(args) => runtime.block_on(work::main(args)),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("workgate: {failure}");
            ExitCode::FAILURE
        }
    }
}
