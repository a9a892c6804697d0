//! Flags. `make demo` gives the first three.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "workgate-demo",
    version,
    about = "Webhook traffic through rate limits, idempotency, queue, worker and cache",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// None with a subcommand.
    #[command(flatten)]
    pub demo: Option<DemoArgs>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What the worker runs for every job of the demo
    Handler(HandlerArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// redis-server or valkey-server
    #[arg(long, value_name = "PATH", required = true)]
    pub server: PathBuf,

    /// libworkgate.so
    #[arg(long, value_name = "PATH", required = true)]
    pub module: PathBuf,

    /// The workgate binary
    #[arg(long, value_name = "PATH", required = true)]
    pub worker: PathBuf,

    /// Deliveries of your own, one JSON document a line: {"id": …, "topic": …, "sender": …, "body":
    /// …}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "seed"])]
    pub deliveries: Option<PathBuf>,

    /// Server, worker and dashboard go on after the summary, until Ctrl-C
    #[arg(long)]
    pub keep: bool,

    /// How many deliveries to generate
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub count: u32,

    /// The same seed gives the same deliveries
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// What one sender may deliver, as RATELIMIT.CHECK takes it; by default such that only the
    /// flood goes over it
    #[arg(long, value_name = "LIMIT")]
    pub limit: Option<String>,

    /// How many deliveries are acknowledged at once, each over a connection of its own
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub connections: u16,

    /// How many jobs the worker runs at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub concurrency: u16,
}

#[derive(Debug, Clone, Args)]
pub struct HandlerArgs {
    /// One line is appended here for every run
    #[arg(long, value_name = "FILE")]
    pub runs: PathBuf,

    /// One line is appended here for every load of a customer
    #[arg(long, value_name = "FILE")]
    pub loads: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_handler_needs_no_flag_of_the_demo() {
        let cli = Cli::try_parse_from(["d", "handler", "--runs", "r", "--loads", "l"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Handler(_))));
    }

    #[test]
    fn a_missing_or_contradicting_flag_is_named() {
        for (args, says) in [
            (&["--server", "s", "--module", "m"][..], "--worker"),
            (
                &["--server", "s", "--module", "m", "--worker", "w", "--deliveries", "f", "--count", "5"],
                "--count",
            ),
            (&["--server", "s", "--module", "m", "--worker", "w", "--count", "0"], "--count"),
        ] {
            let error = Cli::try_parse_from([&["d"], args].concat()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
