//! Flags and help: one file for each subcommand.

mod config;
pub mod server;
pub mod work;

use clap::{Parser, Subcommand};

use crate::log::LogArgs;
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
    Work(WorkArgs),
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
