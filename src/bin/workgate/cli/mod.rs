//! Flags and help: one file for each subcommand.

mod config;
pub mod listen;
pub mod operate;
pub mod serve;
pub mod server;
pub mod work;

use clap::{Parser, Subcommand};

use crate::log::LogArgs;
use operate::{DeadArgs, HealthArgs, PushArgs, StatsArgs, TopArgs};
use serve::ServeArgs;
use work::WorkArgs;

/// The command line beside the Workgate module.
#[derive(Debug, Parser)]
#[command(name = "workgate", version, about, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Takes jobs from a queue and hands each to a handler
    Work(Box<WorkArgs>),
    /// Serves a dashboard, metrics and health over HTTP
    Serve(ServeArgs),
    /// Pushes a job for each line of a file
    Push(PushArgs),
    /// Shows the counts of queues
    Stats(StatsArgs),
    /// Lists, groups and redrives dead jobs
    Dead(DeadArgs),
    /// Shows queues live, in a terminal
    Top(TopArgs),
    /// Asks a worker or a dashboard of this machine whether it runs
    Health(HealthArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
