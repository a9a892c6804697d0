//! `workgate work`: takes jobs while slots are free, hands them to the handler, and drains at the
//! end.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::sleep;

use crate::Failure;
use crate::cli::work::WorkArgs;
use crate::handler::{Context, Control, Finished, Handler, Report, Unit};
use crate::job::Job;
use crate::job::commands::{self, Commands};
use crate::job::fetcher::{BLOCK, CancelFetch, Fetched, Fetcher, Popped};
use crate::job::in_flight::InFlight;
use crate::job::settle::{Settlement, settle_all};
use crate::job::slots::{SlotAllocator, Turn, Wait};
use crate::job::sources::{Source, keys_of, sources};
use crate::redis::connection::{Fault, Server};
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::redis::shared_connection::SharedConnection;
use crate::serve::start;
use crate::serve::worker_view::WorkerView;
use crate::shutdown::{Phase, Shutdown, Watch, signals};
use crate::traces::Spans;
use crate::worker_metrics::WorkerMetrics;

/// The conventional status of a process ended by SIGINT.
const KILLED: u8 = 130;

/// How long one POP waits under `--until-empty`.
const UNTIL_EMPTY_BLOCK: Duration = Duration::from_millis(500);

/// How long one POP waits while other sources have no slot to wait with.
const MOMENT: Duration = Duration::from_millis(200);

/// In a cluster a node that is away holds up its own settlements only: the most that may be on
/// their way.
const MOST_FLUSHES: usize = 32;

/// Runs the worker until it is told to stop, is done (`--until-empty`, `--once`) or cannot go on.
pub async fn main(args: WorkArgs) -> Result<ExitCode, Failure> {
    let signals = signals().map_err(|error| Failure::of(format!("cannot listen for signals: {error}")))?;
    let shutdown = Shutdown::new();
    tokio::spawn(shutdown.clone().obey(signals, args.grace));
    let watch = shutdown.watch();
    work(args, &shutdown).await?;
    Ok(if watch.now() == Phase::Killing { ExitCode::from(KILLED) } else { ExitCode::SUCCESS })
}

/// Like [`main`], but the caller handles the signals.
pub async fn work(args: WorkArgs, shutdown: &Shutdown) -> Result<(), Failure> {
    let server = args.server.open().map_err(Failure::usage)?;
    let kind = args.handler()?;
    let mut watch = shutdown.watch();
    let metrics = Arc::new(WorkerMetrics::default());
    let spans = Spans::open(args.otlp.as_deref(), metrics.lost_spans.clone())?;
    let in_flight = Arc::new(InFlight::new(metrics.clone(), spans.clone(), &args.name));
    metrics.slots.set(i64::try_from(args.slots()).unwrap_or(i64::MAX));
    if let Some(address) = args.listen {
        let worker = WorkerView {
            metrics,
            queues: args.queues.iter().flat_map(|queue| keys_of(queue, args.shards)).collect(),
            watch: watch.clone(),
        };
        start::beside_a_worker(address, &args.access, server.clone(), worker).await?;
    }
    let Some((shared, sources)) = find(&server, &args, &mut watch).await? else { return Ok(()) };
    let shared = Arc::new(shared);
    let commands = Commands { connection: shared.clone() };
    let context = Context {
        commands: commands.clone(),
        in_flight: in_flight.clone(),
        redis: args.server.redis.clone(),
        worker: args.name.clone(),
        lease: args.lease,
    };
    let handed_to = format!("{kind}");
    let handler = Handler::start(kind, args.units(), args.batch, context).map_err(Failure::usage)?;
    let keys: Vec<String> = sources.iter().flat_map(Source::keys).map(str::to_owned).collect();
    tracing::info!(
        "{} takes jobs from {}, {} at a time, each handed to {handed_to}",
        args.name,
        shown(&keys),
        args.slots(),
    );
    let (sender, reports) = mpsc::unbounded_channel();
    let taking = Taking {
        slots: SlotAllocator::with_slots(args.slots(), usize::from(args.batch.unwrap_or(1))),
        args: &args,
        handler: Arc::new(handler),
        commands: commands.clone(),
        in_flight: in_flight.clone(),
        watch: &watch,
        cancel_fetch: CancelFetch::new(),
        sender,
        reports,
        units: JoinSet::new(),
        finished: Vec::new(),
        resting: 0,
        flushes: JoinSet::new(),
        asked: JoinSet::new(),
        opening: BTreeMap::new(),
        idle: BTreeMap::new(),
        busy: BTreeMap::new(),
    };
    let handler = taking.handler.clone();
    let taken = tokio::select! {
        taken = taking.all(server, shared, sources, &keys) => taken,
        () = in_flight.keep(&commands) => Ok(()),
    };
    if watch.now() < Phase::Killing {
        let mut killed = watch.clone();
        tokio::select! {
            () = handler.close() => {}
            () = killed.reached(Phase::Killing) => {}
        }
    }
    if let Some(spans) = spans {
        spans.close().await;
    }
    tracing::info!("stopped");
    taken.map_err(|fault| Failure::of(explained(&fault)))
}

/// The server or its cluster, and what is read there; None when the worker stops before it answers.
async fn find(
    server: &Server,
    args: &WorkArgs,
    watch: &mut Watch,
) -> Result<Option<(SharedConnection, Vec<Source>)>, Failure> {
    let look = async || {
        let shared = SharedConnection::found(server.clone()).await?;
        let sources = sources(&shared, &args.queues, args.shards).await?;
        Ok((shared, sources))
    };
    let mut backoff = ReconnectBackoff::default();
    loop {
        tokio::select! {
            found = look() => match found {
                Err(Fault::Unreachable(text)) if backoff.is_fresh() => {
                    tracing::warn!("cannot take jobs, trying again: {text}");
                }
                Err(Fault::Unreachable(_)) => {}
                Err(fault) => return Err(Failure::of(explained(&fault))),
                Ok(found) => return Ok(Some(found)),
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
    Fetched(Turn, Fetcher, Settlement, Fetched),
}

/// Taking jobs from all sources, each on a connection of its own.
struct Taking<'a> {
    args: &'a WorkArgs,
    handler: Arc<Handler>,
    commands: Commands,
    in_flight: Arc<InFlight>,
    watch: &'a Watch,
    slots: SlotAllocator,
    cancel_fetch: CancelFetch,
    sender: UnboundedSender<Report>,
    reports: UnboundedReceiver<Report>,
    units: JoinSet<()>,
    /// Jobs that are to be settled.
    finished: Vec<Finished>,
    /// Slots of handlers that have ended: they are free when their jobs are settled.
    resting: usize,
    /// Settlements on their way apart from a POP; each gives slots back.
    flushes: JoinSet<usize>,
    /// What is asked at the moment.
    asked: JoinSet<Back>,
    /// Of these, those that only open a connection.
    opening: BTreeMap<usize, AbortHandle>,
    /// The others.
    idle: BTreeMap<usize, (Fetcher, Source)>,
    /// Those that are asked.
    busy: BTreeMap<usize, Source>,
}

impl Taking<'_> {
    /// Until the worker stops, or is done (`--until-empty`, `--once`), or a server refuses; then
    /// until what runs is finished and settled.
    async fn all(
        mut self,
        server: Server,
        shared: Arc<SharedConnection>,
        sources: Vec<Source>,
        keys: &[String],
    ) -> Result<(), Fault> {
        for (number, source) in sources.into_iter().enumerate() {
            let fetcher = Fetcher::new(server.clone(), shared.clone(), source.slot);
            self.busy.insert(number, source);
            self.prepare(number, fetcher);
        }
        let mut refused: Option<Fault> = None;
        let mut done = false;
        loop {
            let phase = self.watch.now();
            let goes_on = refused.is_none() && !done && phase == Phase::Running;
            if goes_on {
                self.ask();
            } else {
                // What was asked before may still bring jobs.
                self.cancel_fetch.all();
                self.opening.values().for_each(AbortHandle::abort);
            }
            if self.flush() {
                continue;
            }
            let ends = refused.is_some() || done || phase >= Phase::Draining;
            if ends && self.is_still() {
                return refused.map_or(Ok(()), Err);
            }
            let mut next_phase = self.watch.clone();
            let later = if phase == Phase::Running { Phase::Quiet } else { Phase::Draining };
            let found_none = tokio::select! {
                Some(back) = self.asked.join_next() => match back {
                    Ok(back) => match self.take(back) {
                        Ok(Some(jobs)) => {
                            done |= self.args.once && jobs > 0;
                            jobs == 0
                        }
                        Ok(None) => false,
                        Err(fault) => {
                            if refused.is_none() && !self.units.is_empty() {
                                tracing::error!("taking no more jobs, waiting for running handlers: {fault}");
                            }
                            refused.get_or_insert(fault);
                            false
                        }
                    },
                    Err(error) => broke_off(error),
                },
                Some(report) = self.reports.recv() => {
                    self.hear(report);
                    while let Ok(report) = self.reports.try_recv() {
                        self.hear(report);
                    }
                    false
                }
                Some(unit) = self.units.join_next() => unit.map_or_else(broke_off, |()| false),
                Some(flushed) = self.flushes.join_next() => match flushed {
                    Ok(slots) => {
                        self.slots.freed(slots);
                        false
                    }
                    Err(error) => broke_off(error),
                },
                () = next_phase.reached(later), if phase < Phase::Draining => false,
            };
            if found_none && goes_on && self.args.until_empty && self.is_unused() {
                match is_empty(&self.commands, keys).await {
                    Ok(empty) => done = empty,
                    Err(fault) => refused = Some(fault),
                }
            }
        }
    }

    /// Whether nothing runs and nothing is to be settled.
    fn is_unused(&self) -> bool {
        self.units.is_empty()
            && self.reports.is_empty()
            && self.finished.is_empty()
            && self.flushes.is_empty()
    }

    fn is_still(&self) -> bool {
        self.asked.is_empty() && self.is_unused()
    }

    /// Sends a POP to each source whose turn it is. Settlements go with it where all queues are one
    /// server's.
    fn ask(&mut self) {
        let is_single = matches!(&*self.commands.connection, SharedConnection::Single(_));
        let with_settlements = is_single && !self.finished.is_empty() && self.slots.has_idle();
        let mut settlement = Settlement::default();
        if with_settlements {
            self.slots.freed(std::mem::take(&mut self.resting));
        }
        while let Some(turn) = self.slots.next(with_settlements) {
            let Some((mut fetcher, mut source)) = self.idle.remove(&turn.source) else { continue };
            if with_settlements {
                settlement = Settlement::of(std::mem::take(&mut self.finished), &self.in_flight);
            }
            let block = match turn.wait {
                Wait::No => None,
                Wait::Moment => Some(MOMENT),
                // One that ends when the queue is empty looks more often whether it is.
                Wait::Long if self.args.until_empty => Some(UNTIL_EMPTY_BLOCK),
                // Its slots could not be called back to where jobs are.
                Wait::Long if !is_single && !fetcher.can_be_cancelled() => Some(UNTIL_EMPTY_BLOCK),
                Wait::Long => Some(BLOCK),
            };
            let keys = source.next_keys();
            self.busy.insert(turn.source, source);
            let (rate, lease) = (self.args.rate.as_ref(), self.args.lease);
            let pop = commands::pop(&keys, rate, turn.count, block, lease, &self.args.name);
            let (mut watch, mut cancelled) = (self.watch.clone(), self.cancel_fetch.listen());
            let settlement = std::mem::take(&mut settlement);
            self.asked.spawn(async move {
                let fetched =
                    fetcher.fetch(&settlement.commands, pop, block, &mut watch, &mut cancelled).await;
                Back::Fetched(turn, fetcher, settlement, fetched)
            });
        }
        if self.slots.wants_slots() {
            self.cancel_fetch.all();
        }
    }

    /// Settles what no POP takes with it. Whether slots have become free by that.
    fn flush(&mut self) -> bool {
        let most = match &*self.commands.connection {
            SharedConnection::Single(_) => 1,
            SharedConnection::Cluster(_) => MOST_FLUSHES,
        };
        if self.flushes.len() >= most || (self.finished.is_empty() && self.resting == 0) {
            return false;
        }
        let finished = std::mem::take(&mut self.finished);
        let slots = std::mem::take(&mut self.resting);
        if finished.is_empty() {
            self.slots.freed(slots);
            return true;
        }
        let (commands, in_flight, watch) =
            (self.commands.clone(), self.in_flight.clone(), self.watch.clone());
        self.flushes.spawn(async move {
            settle_all(&commands, &in_flight, finished, watch).await;
            slots
        });
        false
    }

    fn prepare(&mut self, number: usize, mut fetcher: Fetcher) {
        let mut watch = self.watch.clone();
        let opening = self.asked.spawn(async move {
            let ready = fetcher.ready(&mut watch).await;
            Back::Ready(number, fetcher, ready)
        });
        self.opening.insert(number, opening);
    }

    fn hear(&mut self, report: Report) {
        self.finished.extend(report.finished);
        self.resting += report.slots;
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
            Back::Fetched(turn, fetcher, settlement, fetched) => {
                self.finished.extend(settlement.conclude(fetched.settled, &self.in_flight));
                match fetched.popped? {
                    Popped::Jobs(jobs) => {
                        let count = jobs.len();
                        let slots = self.begin(jobs, turn);
                        self.slots.back(turn, count, slots);
                        self.rest(turn.source, fetcher);
                        Ok(Some(count))
                    }
                    Popped::Lost => {
                        self.slots.lost(turn);
                        if self.watch.now() < Phase::Draining {
                            self.prepare(turn.source, fetcher);
                        }
                        Ok(None)
                    }
                    Popped::Stopped => Ok(None),
                }
            }
        }
    }

    /// Spreads the jobs over the handlers that the POP had slots for; how many slots they take.
    fn begin(&mut self, jobs: Vec<(Job, Duration)>, turn: Turn) -> usize {
        let batch = usize::from(self.args.batch.unwrap_or(1));
        let units = (turn.count / batch).max(1);
        let each = jobs.len().div_ceil(units).max(1);
        let is_stopping = self.watch.now() >= Phase::Quiet;
        let mut slots = 0;
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let portion: Vec<(Job, Duration)> = jobs.by_ref().take(each).collect();
            slots += batch;
            let (holds, orders) = self.in_flight.enter(&portion, self.args.lease);
            let portion = portion.into_iter().map(|(job, _)| job).collect();
            let mut unit = Unit::new(portion, holds, self.args.batch, self.sender.clone());
            if is_stopping {
                // It came after the worker began to stop.
                unit.end_rest(crate::handler::verdict::Verdict::release);
                continue;
            }
            let control = Control::new(orders, self.watch.clone(), self.args.timeout);
            let handler = self.handler.clone();
            self.units.spawn(async move { handler.run(unit, control).await });
        }
        slots
    }

    fn rest(&mut self, number: usize, fetcher: Fetcher) {
        if let Some(source) = self.busy.remove(&number) {
            self.idle.insert(number, (fetcher, source));
        }
    }
}

/// Whether nothing is left to run. An unreachable server is asked again after the next POP.
async fn is_empty(commands: &Commands, keys: &[String]) -> Result<bool, Fault> {
    for key in keys {
        match commands.pending(key).await {
            Ok(0) => {}
            Ok(_) | Err(Fault::Unreachable(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        }
    }
    Ok(true)
}

fn broke_off(error: JoinError) -> bool {
    if !error.is_cancelled() {
        tracing::error!(
            "a part of the worker broke off, its jobs return when their leases have run out: {error}"
        );
    }
    false
}

pub fn explained(fault: &Fault) -> String {
    match fault {
        Fault::Refused { text, .. } if text.contains("unknown command") => {
            format!("{fault}: is the Workgate module loaded there (MODULE LIST)?")
        }
        _ => fault.to_string(),
    }
}

#[cfg(test)]
mod tests;
