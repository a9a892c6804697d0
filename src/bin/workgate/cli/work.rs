//! Flags and help of `workgate work`. Exit codes of handlers are stated here, in
//! `handler::exit_status` and in docs/worker.md.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, builder::NonEmptyStringValueParser};

use crate::Failure;
use crate::args::duration;
use crate::args::shared_rate::{self, SharedRate};
use crate::args::worker_name;
use crate::cli::listen::{self, AccessArgs};
use crate::cli::server::ServerArgs;
use crate::handler::{HttpTarget, Kind};
use crate::job::sources::MOST_SHARDS;

const AFTER_HELP: &str = "\
A handler of --exec runs as `sh -c CMD`, in a process group of its own, with the payload on its standard input and
WORKGATE_ID, WORKGATE_QUEUE, WORKGATE_ATTEMPT, WORKGATE_LAST_ATTEMPT, WORKGATE_TOKEN, WORKGATE_DEADLINE_MS,
WORKGATE_REDIS and, where the job has them, WORKGATE_NAME, WORKGATE_GROUP, WORKGATE_META and WORKGATE_PROGRESS in its
environment.

Its exit status decides:
  0        done; its standard output (the first 64 KiB) is kept as the job's result
  65       dead: the payload is bad, never try again (EX_DATAERR)
  75       failed for now: retried with the job's backoff (EX_TEMPFAIL)
  other    failed, as 75
  signal   failed, as 75
A line of JSON on file descriptor 3 overrules it: {\"type\":\"release\",\"delay\":\"6s\"} gives the job back uncharged. The same
messages are the protocol of --stdio; docs/worker-stdio.md describes them.

Each flag is also an environment variable: --concurrency is WORKGATE_WORK_CONCURRENCY.

The first SIGTERM or SIGINT stops taking jobs and lets handlers finish for --grace; a second one kills them.
SIGUSR1 only stops taking jobs. Exit status of the worker: 0 after a clean stop, 1 when it could not go on, 2 for a wrong flag
or address, 130 when killed by a second signal.";

#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WorkArgs {
    #[command(flatten)]
    pub server: ServerArgs,

    /// The queue's key; several are served in the order given, but in a cluster those of different
    /// slots in turn
    #[arg(long = "queue", value_name = "KEY", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub queues: Vec<String>,

    /// Each queue KEY stands for its shards KEY:{0}, KEY:{1} … KEY:{N-1}, which are served in turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_SHARDS as i64))]
    pub shards: Option<u16>,

    /// What JOBQ.GET and JOBQ.LIST call this worker, 1 to 128 bytes [default: host:pid]
    #[arg(long, value_name = "NAME", default_value_t = worker_name::own(), hide_default_value = true, value_parser = worker_name::read)]
    pub name: String,

    /// A key of RATELIMIT and limits, as in 'openai tokens=90000/1m': takes only jobs whose costs
    /// they admit, and charges them. All that names the key shares them
    #[arg(long, value_name = "'KEY LIMIT...'", value_parser = shared_rate::read)]
    pub rate: Option<SharedRate>,

    /// The handler: a shell command, run once per job
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub exec: Option<String>,

    /// The handler: a shell command, started --concurrency times and given one job after the other,
    /// as JSON lines
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub stdio: Option<String>,

    /// The handler: an address to which each job is sent by POST
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub http: Option<String>,

    /// The handler: nobody, for benchmarks
    #[cfg(feature = "null-handler")]
    #[arg(long, hide = true, conflicts_with_all = ["exec", "stdio", "http"])]
    pub null: bool,

    /// With --http: statuses that end a job for good
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        default_value = "400,410,422",
        value_parser = clap::value_parser!(u16).range(300..=599)
    )]
    pub http_dead: Vec<u16>,

    /// With --http: certificates to trust in the place of the operating system's, in PEM form
    #[arg(long, value_name = "FILE")]
    pub http_ca: Option<PathBuf>,

    /// How many handlers run at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub concurrency: u16,

    /// With --stdio: how many jobs a handler is given together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch: Option<u16>,

    /// How long a job stays with this worker unless renewed; renewed at a third of it, at least
    /// 100ms
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = lease)]
    pub lease: Duration,

    /// Stops a handler that runs longer and fails its job
    #[arg(long, value_name = "DURATION", value_parser = duration::read)]
    pub timeout: Option<Duration>,

    /// How long running handlers may go on after the first SIGTERM or SIGINT
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = duration::read_or_zero)]
    pub grace: Duration,

    /// Ends when no job is ready, delayed or active any more
    #[arg(long, visible_alias = "drain")]
    pub until_empty: bool,

    /// Ends after one POP that brought jobs
    #[arg(long, conflicts_with = "until_empty")]
    pub once: bool,

    /// Serves /metrics, /healthz and /readyz of this worker there: an address with a port, or a
    /// port of this machine alone
    #[arg(long, value_name = "ADDR", value_parser = listen::address)]
    pub listen: Option<SocketAddr>,

    #[command(flatten)]
    pub access: AccessArgs,

    /// Sends a span of each run to the OpenTelemetry collector there, as in http://localhost:4318
    /// [default: OTEL_EXPORTER_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub otlp: Option<String>,

    /// A TOML file with any of these flags, as in `queue = ["mails"]`; the command line and the
    /// environment overrule it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl WorkArgs {
    /// The one handler that is given.
    pub fn handler(&self) -> Result<Kind, Failure> {
        #[cfg(feature = "null-handler")]
        if self.null {
            return Ok(Kind::Null);
        }
        let kind = match (&self.exec, &self.stdio, &self.http) {
            (Some(command), None, None) => Kind::Exec(command.clone()),
            (None, Some(command), None) => Kind::Stdio(command.clone()),
            (None, None, Some(url)) => {
                let (dead, ca) = (self.http_dead.clone(), self.http_ca.clone());
                Kind::Http(HttpTarget { url: url.clone(), dead, ca })
            }
            _ => {
                return Err(Failure::usage(
                    "one of --exec, --stdio and --http is needed, and no more than one",
                ));
            }
        };
        if self.batch.is_some() && matches!(kind, Kind::Exec(_) | Kind::Http(_)) {
            return Err(Failure::usage("--batch is for --stdio"));
        }
        kind.check().map_err(Failure::usage)?;
        Ok(kind)
    }

    /// How many handlers run at once.
    pub fn units(&self) -> u16 {
        self.concurrency
    }

    /// How many jobs the worker may hold.
    pub fn slots(&self) -> usize {
        usize::from(self.concurrency) * usize::from(self.batch.unwrap_or(1))
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    /// Below this, renewals would be a load of their own.
    const SHORTEST: Duration = Duration::from_millis(100);
    let lease = duration::read(text)?;
    if lease < SHORTEST { Err(format!("lease '{text}': must be at least 100ms")) } else { Ok(lease) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<WorkArgs, String> {
        let base = ["workgate", "work", "--redis", "redis://127.0.0.1:1"];
        match Cli::try_parse_from(base.iter().chain(args)) {
            Ok(Cli { command: Command::Work(args), .. }) => Ok(*args),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn defaults_stand_where_nothing_is_given() {
        let args = parse(&["--queue", "q", "--exec", "true"]).unwrap();
        assert_eq!(args.concurrency, 4);
        assert_eq!(args.lease, Duration::from_secs(30));
        assert_eq!(args.timeout, None);
        assert_eq!(args.grace, Duration::from_secs(25));
        assert!(!args.until_empty);
        assert_eq!(args.shards, None);
        assert!(args.name.ends_with(&format!(":{}", std::process::id())));
    }

    #[test]
    fn several_queues_keep_their_order() {
        let args = parse(&["--queue", "b", "--queue", "a", "--exec", "true", "--drain"]).unwrap();
        assert_eq!(args.queues, ["b", "a"]);
        assert!(args.until_empty);
    }

    #[test]
    fn a_bad_flag_is_told_what_is_allowed() {
        for (args, says) in [
            (&["--exec", "true"][..], "--queue"),
            (&["--queue", "", "--exec", "true"], "--queue"),
            (&["--queue", "q", "--exec", "true", "--concurrency", "0"], "1..=1000"),
            (&["--queue", "q", "--exec", "true", "--lease", "30"], "write 30s or 30ms"),
            (&["--queue", "q", "--exec", "true", "--lease", "5ms"], "at least 100ms"),
            (&["--queue", "q", "--exec", "true", "--timeout", "0s"], "between 1ms and 3650d"),
            (&["--queue", "q", "--exec", "true", "--grace", "soon"], "expected a duration"),
            (&["--queue", "q", "--exec", "true", "--fast"], "--fast"),
            (&["--queue", "q", "--exec", "true", "--shards", "0"], "1..=100"),
            (&["--queue", "q", "--exec", "true", "--shards", "101"], "1..=100"),
            (&["--queue", "q", "--exec", "true", "--name", ""], "1 to 128 bytes"),
            (&["--queue", "q", "--exec", "true", "--name", "ALSO"], "'ALSO' cannot be"),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.contains(says), "{args:?}: {error}");
        }
    }

    #[test]
    fn exactly_one_handler_is_needed() {
        for (more, fits) in [
            (&["--exec", "true"][..], true),
            (&["--stdio", "true", "--batch", "10"], true),
            (&["--http", "http://h/"], true),
            (&[], false),
            (&["--exec", "true", "--http", "http://h/"], false),
            (&["--exec", "true", "--batch", "2"], false),
        ] {
            let args = parse(&[&["--queue", "q"], more].concat()).unwrap();
            assert_eq!(args.handler().is_ok(), fits, "{more:?}");
        }
    }
}
