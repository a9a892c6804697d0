//! Flags and help of `workgate push`, `stats` and `dead`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use crate::args::duration;
use crate::cli::server::ServerArgs;

const AFTER_PUSH: &str = "\
Each line is one JSON value, and is the payload of one job as it stands. With --id-field it is safe to run twice: a job
whose id is known is not pushed again. Lines that are rejected are told on standard error and left out; the exit status
is then 1.";

#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_PUSH)]
pub struct PushArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// The queue's key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub queue: String,

    /// The member of each line's object that is the job's id
    #[arg(long, value_name = "FIELD")]
    pub id_field: Option<String>,

    /// The member of each line's object that is the job's group
    #[arg(long, value_name = "FIELD")]
    pub group_field: Option<String>,

    /// The name of all jobs
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// The priority of all jobs
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub priority: Option<i32>,

    /// How often all jobs are tried again
    #[arg(long, value_name = "N")]
    pub retries: Option<u16>,

    /// When all jobs are due
    #[arg(long, value_name = "DURATION", value_parser = duration::read_or_zero)]
    pub delay: Option<Duration>,

    /// Where rejected lines are written to, as they came
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,

    /// Answers with a JSON object
    #[arg(long)]
    pub json: bool,

    /// The lines; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct StatsArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// A queue's key; all queues of the server when none is given
    #[arg(long = "queue", value_name = "KEY")]
    pub queues: Vec<String>,

    /// Answers with a JSON array, an object for each queue with all that JOBQ.STATS says
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct DeadArgs {
    #[command(subcommand)]
    pub action: DeadAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum DeadAction {
    /// Shows dead jobs, those that ended first at first
    List(DeadQuery),
    /// Counts dead jobs by kind; those without one by the beginning of their errors, up to the
    /// first colon
    Group(DeadQuery),
    /// Makes dead jobs ready again
    Redrive {
        #[command(flatten)]
        query: DeadQuery,

        /// Only the job of this id
        #[arg(long = "id", value_name = "ID", conflicts_with_all = ["error", "kind"])]
        ids: Vec<String>,
    },
}

#[derive(Debug, Clone, Args)]
pub struct DeadQuery {
    #[command(flatten)]
    pub server: ServerArgs,

    /// The queue's key
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub queue: String,

    /// Only jobs whose error fits this glob, as in "exit 3*"
    #[arg(long, value_name = "GLOB")]
    pub error: Option<String>,

    /// Only jobs whose last failure was of this kind
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,

    /// How many jobs are looked at, at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,

    /// Answers with JSON
    #[arg(long)]
    pub json: bool,
}
