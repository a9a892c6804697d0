//! Flags and help of `workgate push`, `stats`, `dead`, `top` and `health`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use crate::args::duration;
use crate::cli::listen;
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

    /// Sends a span of each write to the OpenTelemetry collector there, as in
    /// http://localhost:4318, and names it in META of the jobs [default:
    /// OTEL_EXPORTER_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub otlp: Option<String>,

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

const AFTER_TOP: &str = "\
Keys: q ends, j and k (or the arrows) choose the queue whose busy jobs are shown below, s changes the order: by the oldest job that
is ready, by depth, by jobs done a second, by dead jobs, by name.";

#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_TOP)]
pub struct TopArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// A queue's key; all queues of the server when none is given
    #[arg(long = "queue", value_name = "KEY")]
    pub queues: Vec<String>,

    /// How often the server is asked, at least 100ms
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    pub every: Duration,

    /// Prints the queues once and ends; needs no terminal
    #[arg(long)]
    pub once: bool,

    /// Prints a JSON object, without --once another one each time, in place of drawing
    #[arg(long)]
    pub json: bool,
}

/// Refuses what would keep a server busy.
fn interval(text: &str) -> Result<Duration, String> {
    const SHORTEST: Duration = Duration::from_millis(100);
    let every = duration::read(text)?;
    if every < SHORTEST { Err(format!("'{text}': must be at least 100ms")) } else { Ok(every) }
}

#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Where it listens (`--listen`): an address with a port, or a port of this machine alone
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464", value_parser = listen::address)]
    pub at: SocketAddr,

    /// Asks also whether its server answers and, of a worker, whether it takes jobs
    #[arg(long)]
    pub ready: bool,
}
