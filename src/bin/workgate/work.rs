//! The worker: takes jobs while slots are free, runs an attempt for each, and drains at the end.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::attempt::Worker;
use crate::cli::WorkArgs;
use crate::connection::{Fault, Link, Server};
use crate::handler::Handler;
use crate::popper::{BLOCK, Popped, Popper};
use crate::queue::{self, Queue};
use crate::shutdown::{Phase, Shutdown, Watch, signals};

/// The conventional status of a process ended by SIGINT.
const KILLED: u8 = 130;

/// How long one POP waits under `--until-empty`.
const UNTIL_EMPTY_BLOCK: Duration = Duration::from_millis(500);

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
    let link = Arc::new(Link::to(server.clone()));
    let worker = Arc::new(Worker {
        queue: Queue::over(link.clone()),
        handler: Handler { command: args.exec.clone(), redis: args.redis.clone() },
        lease: args.lease,
        timeout: args.timeout,
    });
    tracing::info!(
        "taking jobs from {}, {} at a time, each handed to: {}",
        args.queues.join(", "),
        args.concurrency,
        args.exec
    );
    let mut attempts = JoinSet::new();
    let taken = take(&args, &worker, Popper::new(server, link), &mut attempts, shutdown).await;
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

async fn take(
    args: &WorkArgs,
    worker: &Arc<Worker>,
    mut popper: Popper,
    attempts: &mut JoinSet<()>,
    shutdown: &Shutdown,
) -> Result<(), Fault> {
    let slots = Arc::new(Semaphore::new(usize::from(args.concurrency)));
    let mut watch = shutdown.watch();
    // One that ends when the queue is empty looks more often whether it is.
    let block = if args.until_empty { UNTIL_EMPTY_BLOCK } else { BLOCK };
    loop {
        let Some(mut free) = free_slots(&slots, &mut watch).await else { return Ok(()) };
        while let Some(ended) = attempts.try_join_next() {
            report(ended);
        }
        let pop = queue::pop(&args.queues, free.len(), block, args.lease);
        let jobs = match popper.pop(&pop, &mut watch).await? {
            Popped::Jobs(jobs) => jobs,
            Popped::Stopped => return Ok(()),
        };
        let none = jobs.is_empty();
        for (job, left) in jobs {
            let (worker, watch, slot) = (worker.clone(), watch.clone(), free.pop());
            attempts.spawn(async move {
                worker.attempt(job, left, watch).await;
                drop(slot);
            });
        }
        drop(free);
        if none && args.until_empty && watch.now() == Phase::Running {
            let idle = slots.available_permits() == usize::from(args.concurrency);
            if idle && is_empty(worker, &args.queues).await? {
                return Ok(());
            }
        }
    }
}

/// Waits for one free slot and takes all that are free; None when the worker stops.
async fn free_slots(slots: &Arc<Semaphore>, watch: &mut Watch) -> Option<Vec<OwnedSemaphorePermit>> {
    let first = tokio::select! {
        biased;
        () = watch.reached(Phase::Draining) => return None,
        slot = slots.clone().acquire_owned() => slot.ok()?,
    };
    let more = std::iter::from_fn(|| slots.clone().try_acquire_owned().ok());
    Some(std::iter::once(first).chain(more).collect())
}

/// Whether nothing is left to run. An unreachable server is asked again after the next POP.
async fn is_empty(worker: &Worker, queues: &[String]) -> Result<bool, Fault> {
    for queue in queues {
        match worker.queue.pending(queue).await {
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
    use crate::fake::{Fake, Say};
    use clap::Parser;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A queue of `jobs` jobs, handed out as asked for, that counts itself.
    async fn queue_of(jobs: usize, stats: &'static str) -> Fake {
        let given = AtomicUsize::new(0);
        Fake::start(move |_, command| match (&command[0][..], command.get(1).map(|arg| &arg[..])) {
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

    fn args(fake: &Fake, more: &[&str]) -> WorkArgs {
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
        let fake = Fake::start(|_, command| match &command[0][..] {
            b"CLIENT" => Say::line(":1"),
            b"TIME" => Say::line("*2\r\n$1\r\n1\r\n$1\r\n0"),
            _ => Say::line("-ERR unknown command 'JOBQ.POP', with args beginning with: 'q'"),
        })
        .await;
        let error = work(args(&fake, &["--exec", "true"]), &Shutdown::new()).await.unwrap_err();
        assert!(error.contains("unknown command") && error.contains("MODULE LIST"), "{error}");
    }
}
