//! The demo from start to summary.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::Client;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinHandle;

use crate::accounting::equations::Reconciliation;
use crate::accounting::handler_log::{self, Runs};
use crate::accounting::queue_stats::Stats;
use crate::accounting::reply_counts::ReplyCounts;
use crate::cli::DemoArgs;
use crate::feed::feed_counts::FeedCounts;
use crate::feed::generate::{Kinds, fitting_limit, generate};
use crate::frontends::{self, lock};
use crate::process::dashboard::Dashboard;
use crate::process::server::Server;
use crate::process::temp_dir::TempDir;
use crate::process::worker::Worker;
use crate::progress::Progress;
use crate::summary::{Times, grouped, summary};

/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The time without progress after which something is wrong. Above any backoff and block of the
/// demo.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a sender may deliver of one's own file, unless told otherwise.
const LIMIT_OF_OWN: usize = 250;

/// Runs it all. False when the summary does not add up.
pub async fn show(args: &DemoArgs) -> Result<bool, String> {
    // In the order of their ends: the worker stops before the server, and both before their folder
    // goes.
    let folder = TempDir::new()?;
    let (feed, kinds) = feed_file(args, &folder)?;
    let mut server = Server::start(&args.server, &args.module, &folder).await?;
    let mut worker = Worker::start(&args.worker, &server.url, args.concurrency, &folder)?;
    let mut dashboard = Dashboard::start(&args.worker, &server.url, &folder).await?;

    let fitting = if kinds.is_some() { fitting_limit(args.count as usize) } else { LIMIT_OF_OWN };
    let limit = args.limit.clone().unwrap_or_else(|| format!("deliveries={fitting}/1m"));
    let feed_counts =
        FeedCounts::of(&std::fs::read(&feed).map_err(|error| format!("{}: {error}", feed.display()))?);
    introduce(&server, &worker, &dashboard, &feed, &feed_counts, &limit);

    let counts = Arc::new(Mutex::new(ReplyCounts::new()?));
    let begun = Instant::now();
    let feeding = Feeding::start(&feed, &server.url, args.connections, &limit, &counts);
    let (fed, stats) = {
        let mut progress = Progress::new(feed_counts.deliveries);
        watch(&mut server, &mut worker, feeding, &counts, &mut progress, begun).await?
    };
    let times = Times { fed, finished: begun.elapsed() };
    dashboard.process.still_runs()?;
    if !args.keep {
        worker.stop()?;
    }

    let runs = Runs::read(&folder.file("runs"))?;
    let loads = handler_log::loads(&folder.file("loads"))?;
    let (text, adds_up) = {
        let counts = lock(&counts);
        let totals = Reconciliation {
            deliveries: feed_counts.deliveries,
            broken: kinds.map(|kinds| kinds.malformed),
            accepted: counts.accepted,
            duplicates: counts.duplicates,
            mismatched: counts.mismatched,
            limited: counts.limited,
            malformed: counts.malformed,
            retries: counts.retries,
            planned_dead: counts.planned_dead,
            customers: counts.customers.len() as u64,
            done: stats.done,
            dead: stats.dead,
            runs: runs.count(),
            distinct_runs: runs.distinct(),
            intact_runs: runs.intact(&feed_counts.fingerprints),
            loads: loads.values().sum(),
            most_loads: loads.values().copied().max().unwrap_or(0),
        };
        summary(&totals, &counts.latency, times)
    };
    println!("{text}");
    if !adds_up {
        println!("  The worker's log ends with:\n{}", worker.process.log_tail());
    }
    if args.keep {
        println!("\n  All of it goes on: {} shows it, Ctrl-C ends it.", dashboard.address);
        loop {
            for process in [&mut server.process, &mut worker.process, &mut dashboard.process] {
                process.still_runs()?;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Ok(adds_up)
}

/// The user's own file, or a generated one.
fn feed_file(args: &DemoArgs, folder: &TempDir) -> Result<(PathBuf, Option<Kinds>), String> {
    if let Some(own) = &args.deliveries {
        return match std::fs::metadata(own) {
            Ok(found) if found.is_file() => Ok((own.clone(), None)),
            Ok(_) => Err(format!("--deliveries {}: not a file", own.display())),
            Err(error) => Err(format!("--deliveries {}: {error}", own.display())),
        };
    }
    let file = folder.file("deliveries.ndjson");
    let (lines, kinds) = generate(args.count as usize, args.seed);
    std::fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((file, Some(kinds)))
}

fn introduce(
    server: &Server,
    worker: &Worker,
    dashboard: &Dashboard,
    feed: &Path,
    feed_counts: &FeedCounts,
    limit: &str,
) {
    println!("\n  Workgate: webhooks through limits, idempotency, queue, worker and cache\n");
    println!("  server    {}", server.command_line);
    println!("  worker    {}", worker.command_line);
    println!("  dashboard {} (while the demo runs; KEEP=1 leaves it up)", dashboard.address);
    println!("  feed      {} ({} deliveries)", feed.display(), grouped(feed_counts.deliveries));
    println!("  each one  IDEMP.CLAIM > RATELIMIT.CHECK {limit} > JOBQ.PUSH > IDEMP.COMPLETE");
    println!("  each job  CACHE.GETSET for its customer; some fail and are retried, a few die\n");
}

/// The front ends at work; dropping it ends them.
struct Feeding {
    task: JoinHandle<Result<(), String>>,
}

impl Feeding {
    fn start(
        feed: &Path,
        url: &str,
        connections: u16,
        limit: &str,
        counts: &Arc<Mutex<ReplyCounts>>,
    ) -> Self {
        let (feed, url, limit, counts) = (feed.to_owned(), url.to_owned(), limit.to_owned(), counts.clone());
        let task =
            tokio::spawn(async move { frontends::feed(&feed, &url, connections, &limit, &counts).await });
        Feeding { task }
    }

    /// Whether all is fed; an error when a front end failed.
    async fn over(&mut self) -> Result<bool, String> {
        if !self.task.is_finished() {
            return Ok(false);
        }
        (&mut self.task).await.map_err(|error| format!("feeding broke off: {error}"))?.map(|()| true)
    }
}

impl Drop for Feeding {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until all is fed and nothing is left to run. Gives the time that feeding took and the last
/// counts.
async fn watch(
    server: &mut Server,
    worker: &mut Worker,
    mut feeding: Feeding,
    counts: &Mutex<ReplyCounts>,
    progress: &mut Progress,
    begun: Instant,
) -> Result<(Duration, Stats), String> {
    let mut connection = observer(&server.url).await?;
    let mut fed = None;
    let mut moved = (Instant::now(), 0, Stats::default());
    loop {
        server.process.still_runs()?;
        worker.process.still_runs()?;
        if fed.is_none() && feeding.over().await? {
            fed = Some(begun.elapsed());
        }
        let stats = Stats::get(&mut connection).await?;
        let (total, accepted) = {
            let counts = lock(counts);
            (counts.total(), counts.accepted)
        };
        progress.show(total, accepted, stats.finished());
        if let Some(fed) = fed
            && stats.unfinished() == 0
        {
            return Ok((fed, stats));
        }
        if (total, stats) != (moved.1, moved.2) {
            moved = (Instant::now(), total, stats);
        } else if moved.0.elapsed() > PATIENCE {
            let tail = worker.process.log_tail();
            return Err(format!(
                "nothing moves since {PATIENCE:?}: {stats:?}; the worker's log ends with:\n{tail}"
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn observer(url: &str) -> Result<MultiplexedConnection, String> {
    let client = Client::open(url).map_err(|error| error.to_string())?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| error.to_string())
}
