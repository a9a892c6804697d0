//! The worker: takes jobs while slots are free, runs an attempt for each, and drains at the end.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::cli::work::WorkArgs;
use crate::handler::Handler;
use crate::job::commands::{self, Queue};
use crate::job::fetcher::{BLOCK, CancelFetch, Fetcher, Popped};
use crate::job::run::Worker;
use crate::job::slots::{SlotAllocator, Turn, Wait};
use crate::job::sources::{Source, sources};
use crate::redis::connection::{Fault, Server};
use crate::redis::reconnect_backoff::Backoff;
use crate::redis::shared_connection::SharedConnection;
use crate::shutdown::{Phase, Shutdown, Watch, signals};

/// The conventional status of a process ended by SIGINT.
const KILLED: u8 = 130;

/// How long one POP waits under `--until-empty`.
const UNTIL_EMPTY_BLOCK: Duration = Duration::from_millis(500);

/// How long one POP waits while other sources have no slot to wait with.
const MOMENT: Duration = Duration::from_millis(200);

/// Runs the worker until it is told to stop, is done (`--until-empty`) or cannot go on.
pub async fn main(args: WorkArgs) -> Result<ExitCode, String> {
    let signals = signals().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let shutdown = Shutdown::new();
    tokio::spawn(shutdown.clone().obey(signals, args.grace));
    let watch = shutdown.watch();
    work(args, &shutdown).await?;
    Ok(if watch.now() == Phase::Killing { ExitCode::from(KILLED) } else { ExitCode::SUCCESS })
}

/// As [`main`], with the signals left to the caller.
pub async fn work(args: WorkArgs, shutdown: &Shutdown) -> Result<(), String> {
    let server = Server::at(&args.redis)?;
    let mut watch = shutdown.watch();
    let found = found(&server, &args, &mut watch).await.map_err(|fault| explained(&fault))?;
    let Some((link, sources)) = found else { return Ok(()) };
    let link = Arc::new(link);
    let worker = Arc::new(Worker {
        queue: Queue::over(link.clone()),
        handler: Handler { command: args.exec.clone(), redis: args.redis.clone() },
        lease: args.lease,
        timeout: args.timeout,
    });
    let keys: Vec<String> = sources.iter().flat_map(Source::keys).map(str::to_owned).collect();
    tracing::info!(
        "{} takes jobs from {}, {} at a time, each handed to: {}",
        args.name,
        shown(&keys),
        args.concurrency,
        args.exec
    );
    let mut attempts = JoinSet::new();
    let taken = Taking::new(&args, &worker, &watch, &mut attempts).all(server, link, sources, &keys).await;
    // Also after a refusal: what runs is finished.
    if let Err(fault) = &taken
        && !attempts.is_empty()
    {
        tracing::error!("taking no more jobs, waiting for running handlers: {fault}");
    }
    while let Some(ended) = attempts.join_next().await {
        report(ended);
    }
    tracing::info!("stopped");
    taken.map_err(|fault| explained(&fault))
}

/// The server or its cluster, and what is read there; None when the worker stops before it answers.
async fn found(
    server: &Server,
    args: &WorkArgs,
    watch: &mut Watch,
) -> Result<Option<(SharedConnection, Vec<Source>)>, Fault> {
    let look = async || {
        let link = SharedConnection::found(server.clone()).await?;
        let sources = sources(&link, &args.queues, args.shards).await?;
        Ok((link, sources))
    };
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            found = look() => match found {
                Err(Fault::Unreachable(text)) if backoff.is_fresh() => {
                    tracing::warn!("cannot take jobs, trying again: {text}");
                }
                Err(Fault::Unreachable(_)) => {}
                found => return found.map(Some),
            },
            () = watch.reached(Phase::Draining) => return Ok(None),
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = watch.reached(Phase::Draining) => return Ok(None),
        }
    }
}

/// A few of many keys.
fn shown(keys: &[String]) -> String {
    const FEW: usize = 5;
    match keys {
        [first, .., last] if keys.len() > FEW => format!("{first} … {last} ({} keys)", keys.len()),
        _ => keys.join(", "),
    }
}

/// What a fetcher comes back with.
enum Back {
    /// Whether its connection is open: else the worker stops.
    Ready(usize, Fetcher, Result<bool, Fault>),
    Popped(Turn, Fetcher, Result<Popped, Fault>),
}

/// Taking jobs from all sources, each on a connection of its own.
struct Taking<'a> {
    args: &'a WorkArgs,
    worker: &'a Arc<Worker>,
    watch: &'a Watch,
    attempts: &'a mut JoinSet<()>,
    slots: SlotAllocator,
    cancel_fetch: CancelFetch,
    /// What is asked at the moment.
    asked: JoinSet<Back>,
    /// Of these, those that only open a connection.
    opening: BTreeMap<usize, AbortHandle>,
    /// The others.
    idle: BTreeMap<usize, (Fetcher, Source)>,
    /// Those that are asked.
    busy: BTreeMap<usize, Source>,
}

impl<'a> Taking<'a> {
    fn new(
        args: &'a WorkArgs,
        worker: &'a Arc<Worker>,
        watch: &'a Watch,
        attempts: &'a mut JoinSet<()>,
    ) -> Self {
        Taking {
            args,
            worker,
            watch,
            attempts,
            slots: SlotAllocator::with_slots(usize::from(args.concurrency)),
            cancel_fetch: CancelFetch::new(),
            asked: JoinSet::new(),
            opening: BTreeMap::new(),
            idle: BTreeMap::new(),
            busy: BTreeMap::new(),
        }
    }

    /// Until the worker stops, or is done (`--until-empty`), or a server refuses.
    async fn all(
        mut self,
        server: Server,
        link: Arc<SharedConnection>,
        sources: Vec<Source>,
        keys: &[String],
    ) -> Result<(), Fault> {
        for (number, source) in sources.into_iter().enumerate() {
            let fetcher = Fetcher::new(server.clone(), link.clone(), source.slot);
            self.busy.insert(number, source);
            self.prepare(number, fetcher);
        }
        let mut refused = None;
        let mut done = false;
        loop {
            let goes_on = refused.is_none() && !done && self.watch.now() == Phase::Running;
            if goes_on {
                self.ask();
            } else if self.asked.is_empty() {
                return refused.map_or(Ok(()), Err);
            } else {
                // What was asked before may still bring jobs.
                self.cancel_fetch.all();
                self.opening.values().for_each(AbortHandle::abort);
            }
            let mut stop = self.watch.clone();
            let found_none = tokio::select! {
                Some(back) = self.asked.join_next() => match back {
                    Ok(back) => match self.take(back) {
                        Ok(jobs) => jobs == Some(0),
                        Err(fault) => {
                            refused.get_or_insert(fault);
                            false
                        }
                    },
                    Err(error) if error.is_cancelled() => false,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                Some(ended) = self.attempts.join_next() => {
                    report(ended);
                    self.slots.freed();
                    false
                }
                () = stop.reached(Phase::Draining), if goes_on => false,
            };
            if found_none && goes_on && self.args.until_empty && self.attempts.is_empty() {
                match is_empty(self.worker, keys).await {
                    Ok(empty) => done = empty,
                    Err(fault) => refused = Some(fault),
                }
            }
        }
    }

    /// Sends a POP to each source whose turn it is.
    fn ask(&mut self) {
        while let Some(turn) = self.slots.next() {
            let Some((mut fetcher, mut source)) = self.idle.remove(&turn.source) else { continue };
            let block = match turn.wait {
                Wait::No => None,
                Wait::Moment => Some(MOMENT),
                // One that ends when the queue is empty looks more often whether it is.
                Wait::Long if self.args.until_empty => Some(UNTIL_EMPTY_BLOCK),
                Wait::Long => Some(BLOCK),
            };
            let keys = source.next_keys();
            self.busy.insert(turn.source, source);
            let pop = commands::pop(&keys, turn.count, block, self.args.lease, &self.args.name);
            let (mut watch, mut cancelled) = (self.watch.clone(), self.cancel_fetch.listen());
            self.asked.spawn(async move {
                let popped = fetcher.pop(&pop, block, &mut watch, &mut cancelled).await;
                Back::Popped(turn, fetcher, popped)
            });
        }
        if self.slots.wants_slots() {
            self.cancel_fetch.all();
        }
    }

    fn prepare(&mut self, number: usize, mut fetcher: Fetcher) {
        let mut watch = self.watch.clone();
        let opening = self.asked.spawn(async move {
            let ready = fetcher.ready(&mut watch).await;
            Back::Ready(number, fetcher, ready)
        });
        self.opening.insert(number, opening);
    }

    /// How many jobs a POP brought, which are begun.
    fn take(&mut self, back: Back) -> Result<Option<usize>, Fault> {
        match back {
            Back::Ready(number, fetcher, ready) => {
                self.opening.remove(&number);
                if ready? {
                    self.rest(number, fetcher);
                    self.slots.came(number);
                }
                Ok(None)
            }
            Back::Popped(turn, fetcher, popped) => match popped? {
                Popped::Jobs(jobs) => {
                    let count = jobs.len();
                    self.slots.back(turn, count);
                    self.rest(turn.source, fetcher);
                    for (job, left) in jobs {
                        let (worker, watch) = (self.worker.clone(), self.watch.clone());
                        self.attempts.spawn(async move { worker.attempt(job, left, watch).await });
                    }
                    Ok(Some(count))
                }
                Popped::Lost => {
                    self.slots.lost(turn);
                    if self.watch.now() == Phase::Running {
                        self.prepare(turn.source, fetcher);
                    }
                    Ok(None)
                }
                Popped::Stopped => Ok(None),
            },
        }
    }

    fn rest(&mut self, number: usize, fetcher: Fetcher) {
        if let Some(source) = self.busy.remove(&number) {
            self.idle.insert(number, (fetcher, source));
        }
    }
}

/// Whether nothing is left to run. An unreachable server is asked again after the next POP.
async fn is_empty(worker: &Worker, keys: &[String]) -> Result<bool, Fault> {
    for key in keys {
        match worker.queue.pending(key).await {
            Ok(0) => {}
            Ok(_) | Err(Fault::Unreachable(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        }
    }
    Ok(true)
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!("an attempt broke off, its job returns when its lease has run out: {error}");
    }
}

fn explained(fault: &Fault) -> String {
    match fault {
        Fault::Refused { text, .. } if text.contains("unknown command") => {
            format!("{fault}: is the Workgate module loaded there (MODULE LIST)?")
        }
        _ => fault.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::redis::test_server::{Say, TestServer};
    use clap::Parser;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A queue of `jobs` jobs, handed out as asked for, that counts itself.
    async fn queue_of(jobs: usize, stats: &'static str) -> TestServer {
        let given = AtomicUsize::new(0);
        TestServer::start(move |_, command| match (&command[0][..], command.get(1).map(|arg| &arg[..])) {
            (b"CLIENT", Some(b"ID")) => Say::line(":1"),
            (b"TIME", _) => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
            (b"JOBQ.POP", _) => {
                let count: usize = String::from_utf8_lossy(&command[3]).parse().unwrap();
                let first = given.fetch_add(count, Ordering::SeqCst);
                let ids = (first..jobs).take(count);
                let rows: Vec<String> = ids
                    .map(|n| format!("*9\r\n$4\r\nj{n:03}\r\n:7\r\n$1\r\np\r\n:1\r\n:99000\r\n$1\r\nq\r\n$-1\r\n$-1\r\n$-1\r\n"))
                    .collect();
                Say::Bytes(format!("*{}\r\n{}", rows.len(), rows.concat()).into_bytes())
            }
            (b"JOBQ.STATS", _) => Say::line(stats),
            _ => Say::line("+OK"),
        })
        .await
    }

    const EMPTY: &str = "*6\r\n+ready\r\n:0\r\n+delayed\r\n:0\r\n+active\r\n:0";

    fn args(fake: &TestServer, more: &[&str]) -> WorkArgs {
        let url = fake.url();
        let base = ["workgate", "work", "--redis", &url, "--queue", "q"];
        let Command::Work(args) = Cli::parse_from(base.iter().chain(more)).command;
        args
    }

    #[tokio::test]
    async fn every_job_is_run_once_and_the_worker_ends_when_the_queue_is_empty() {
        let fake = queue_of(20, EMPTY).await;
        let args = args(&fake, &["--exec", "printf %s $WORKGATE_ID", "--concurrency", "3", "--until-empty"]);
        work(args, &Shutdown::new()).await.unwrap();
        let mut acks = fake.seen("JOBQ.ACK");
        acks.sort();
        let expected: Vec<String> = (0..20).map(|n| format!("JOBQ.ACK q j{n:03} 7 RESULT j{n:03}")).collect();
        assert_eq!(acks, expected);
        assert!(
            fake.seen("JOBQ.POP").iter().all(|pop| ["1", "2", "3"].contains(&pop.split(' ').nth(3).unwrap()))
        );
    }

    #[tokio::test]
    async fn a_stop_lets_running_handlers_finish() {
        let fake = queue_of(2, EMPTY).await;
        let shutdown = Shutdown::new();
        let stop = async {
            while fake.seen("JOBQ.POP").is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            shutdown.advance(Phase::Draining);
        };
        let (worked, ()) =
            tokio::join!(work(args(&fake, &["--exec", "sleep 0.5", "--concurrency", "2"]), &shutdown), stop);
        worked.unwrap();
        assert_eq!(fake.seen("JOBQ.ACK").len(), 2);
        assert!(fake.seen("JOBQ.RELEASE").is_empty());
    }

    #[tokio::test]
    async fn a_server_without_the_module_is_told_so() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"CLIENT" => Say::line(":1"),
            b"TIME" => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
            _ => Say::line("-ERR unknown command 'JOBQ.POP', with args beginning with: 'q'"),
        })
        .await;
        let error = work(args(&fake, &["--exec", "true"]), &Shutdown::new()).await.unwrap_err();
        assert!(error.contains("unknown command") && error.contains("MODULE LIST"), "{error}");
    }
}
