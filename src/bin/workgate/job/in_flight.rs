//! The jobs that this worker holds. One heartbeat (JOBQ.MEXTEND) renews the leases of all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use crate::job::Job;
use crate::job::commands::{Commands, Held};
use crate::redis::connection::Fault;
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::traces::{RunSpan, Spans, traceparent};
use crate::worker_metrics::WorkerMetrics;

/// The longest time between two heartbeats: a cancel reaches the handler within a second.
const LONGEST_PAUSE: Duration = Duration::from_millis(700);

/// The most jobs of one MEXTEND.
const MOST_OF_ONE_CALL: usize = 1_000;

/// What a run is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The lease ran out or the job is gone: somebody else may be working on it.
    Lost,
    /// Somebody cancelled the job.
    Cancel,
}

/// A job's place among a unit's jobs, with what that job is told.
pub type Orders = mpsc::UnboundedReceiver<(usize, Order)>;

/// What names a job that is held.
#[derive(Debug)]
pub struct Hold {
    /// Its number among all jobs of this worker.
    pub run: u64,
    pub queue: Vec<u8>,
    pub id: Vec<u8>,
    pub token: i64,
    /// The span of this run, where spans are sent.
    pub span: Option<RunSpan>,
}

impl Hold {
    /// What the handler's spans hang below: this run's span, else what the producer left in META.
    pub fn traceparent(&self, meta: Option<&[u8]>) -> Option<String> {
        match &self.span {
            Some(span) => Some(span.traceparent().to_owned()),
            None => traceparent::of(meta),
        }
    }
}

/// For logs: `queue/id`, with what is not printable escaped.
impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.queue.escape_ascii(), self.id.escape_ascii())
    }
}

#[derive(Debug)]
struct Entry {
    hold: Arc<Hold>,
    lease: Duration,
    orders: mpsc::UnboundedSender<(usize, Order)>,
    place: usize,
    cancelled: bool,
}

#[derive(Debug, Default)]
struct Entries {
    by_run: BTreeMap<u64, Entry>,
    last_run: u64,
    /// When the next heartbeat is due.
    due: Option<Instant>,
}

/// The jobs between their POP and their settlement.
#[derive(Debug, Default)]
pub struct InFlight {
    entries: Mutex<Entries>,
    sooner: Notify,
    pub metrics: Arc<WorkerMetrics>,
    /// With the worker's name.
    spans: Option<(Spans, String)>,
}

impl InFlight {
    /// Makes a span of each run.
    pub fn new(metrics: Arc<WorkerMetrics>, spans: Option<Spans>, worker: &str) -> Self {
        InFlight { metrics, spans: spans.map(|spans| (spans, worker.to_owned())), ..InFlight::default() }
    }

    /// Takes the jobs of one unit in; `left` is what is left of each lease.
    pub fn enter(&self, jobs: &[(Job, Duration)], lease: Duration) -> (Vec<Arc<Hold>>, Orders) {
        let (sender, orders) = mpsc::unbounded_channel();
        let mut entries = self.lock();
        let mut holds = Vec::with_capacity(jobs.len());
        let mut due = entries.due;
        for (place, (job, left)) in jobs.iter().enumerate() {
            entries.last_run += 1;
            let hold = Arc::new(Hold {
                run: entries.last_run,
                queue: job.queue.clone(),
                id: job.id.clone(),
                token: job.token,
                span: self.spans.as_ref().map(|(spans, worker)| spans.run(job, worker)),
            });
            holds.push(hold.clone());
            let entry = Entry { hold, lease, orders: sender.clone(), place, cancelled: false };
            entries.by_run.insert(entry.hold.run, entry);
            // A job's own LEASE may be shorter than the worker's.
            let first = Instant::now() + pause(lease.min(*left));
            due = Some(due.map_or(first, |due| due.min(first)));
        }
        if entries.due != due {
            entries.due = due;
            self.sooner.notify_one();
        }
        self.count(&entries);
        (holds, orders)
    }

    /// Jobs that are settled, or not ours any more.
    pub fn leave(&self, runs: impl IntoIterator<Item = u64>) {
        let mut entries = self.lock();
        for run in runs {
            entries.by_run.remove(&run);
        }
        self.count(&entries);
    }

    fn count(&self, entries: &Entries) {
        self.metrics.in_flight.set(i64::try_from(entries.by_run.len()).unwrap_or(i64::MAX));
    }

    /// How long the next renewals extend the lease of this job.
    pub fn set_lease(&self, run: u64, lease: Duration) {
        let mut entries = self.lock();
        if let Some(entry) = entries.by_run.get_mut(&run) {
            entry.lease = lease;
        }
    }

    /// Whether this job was lost.
    pub fn is_gone(&self, run: u64) -> bool {
        !self.lock().by_run.contains_key(&run)
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews all jobs again and again. Never returns.
    ///
    /// While the server cannot be reached handlers go on: whether a job was taken over is the
    /// server's to say, as soon as it answers again.
    pub async fn keep(&self, commands: &Commands) {
        let mut backoff = ReconnectBackoff::default();
        loop {
            let due = self.lock().due;
            tokio::select! {
                () = async { match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                } } => {}
                () = self.sooner.notified() => continue,
            }
            let next = match self.renew_all(commands).await {
                Ok(shortest) => {
                    backoff = ReconnectBackoff::default();
                    shortest.map(pause)
                }
                Err(fault) => {
                    if backoff.is_fresh() {
                        tracing::warn!("leases not renewed, trying again: {fault}");
                    }
                    Some(backoff.next().min(LONGEST_PAUSE))
                }
            };
            self.lock().due = next.map(|next| Instant::now() + next);
        }
    }

    /// The shortest lease of those that are held; `None` when no job is.
    async fn renew_all(&self, commands: &Commands) -> Result<Option<Duration>, Fault> {
        let mut groups: BTreeMap<(Vec<u8>, Duration), Vec<Arc<Hold>>> = BTreeMap::new();
        for entry in self.lock().by_run.values() {
            groups.entry((entry.hold.queue.clone(), entry.lease)).or_default().push(entry.hold.clone());
        }
        let shortest = groups.keys().map(|(_, lease)| *lease).min();
        let mut unreachable = None;
        for ((queue, lease), holds) in &groups {
            for holds in holds.chunks(MOST_OF_ONE_CALL) {
                match commands.extend_all(queue, holds, *lease).await {
                    Ok(answers) => holds.iter().zip(answers).for_each(|(hold, held)| self.tell(hold, held)),
                    Err(fault @ Fault::Unreachable(_)) => unreachable = Some(fault),
                    // No permission, say: leases run out, and the server gives the jobs to others.
                    Err(fault) => tracing::error!("leases of {} not renewed: {fault}", queue.escape_ascii()),
                }
            }
        }
        unreachable.map_or(Ok(shortest), Err)
    }

    fn tell(&self, hold: &Hold, held: Held) {
        let mut entries = self.lock();
        let Some(entry) = entries.by_run.get_mut(&hold.run) else { return };
        let order = match held {
            Held::Renewed => return,
            Held::CancelRequested if entry.cancelled => return,
            Held::CancelRequested => {
                entry.cancelled = true;
                Order::Cancel
            }
            Held::Lost => Order::Lost,
        };
        // A unit that has ended listens no more; its settlement says what became of the job.
        let _ = entry.orders.send((entry.place, order));
        if order == Order::Lost {
            entries.by_run.remove(&hold.run);
            self.count(&entries);
            self.metrics.lost_leases.inc();
        }
    }
}

fn pause(lease: Duration) -> Duration {
    (lease / 3).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;
    use crate::redis::test_server::{Say, TestServer};

    const LEASE: Duration = Duration::from_millis(150);
    const LEFT: Duration = Duration::from_secs(10);

    /// Two jobs under one heartbeat at a server that answers so, until the first order.
    async fn first_order(answer: &'static str, left: Duration) -> (TestServer, Option<(usize, Order)>) {
        let fake = TestServer::start(move |_, command| match &command[0][..] {
            b"JOBQ.MEXTEND" => Say::line(answer),
            _ => Say::line("+OK"),
        })
        .await;
        let commands = Commands::at(fake.server());
        let in_flight = InFlight::default();
        let (_, mut orders) = in_flight.enter(&[(job(b""), left), (job(b""), left)], LEASE);
        let order = tokio::select! {
            () = in_flight.keep(&commands) => None,
            order = orders.recv() => order,
            () = tokio::time::sleep(Duration::from_millis(500)) => None,
        };
        (fake, order)
    }

    #[tokio::test]
    async fn all_jobs_are_renewed_by_one_command_before_a_lease_ends() {
        let (fake, order) = first_order("*2\r\n:1\r\n:1", LEFT).await;
        assert_eq!(order, None);
        let seen = fake.seen("JOBQ.MEXTEND");
        assert!(seen.len() >= 4, "{seen:?}");
        assert_eq!(seen[0], "JOBQ.MEXTEND q 2 j1 7 j1 7 LEASE 150ms");
    }

    #[tokio::test]
    async fn a_job_with_a_shorter_lease_of_its_own_is_renewed_in_time() {
        let (fake, _) = first_order("*2\r\n:1\r\n:1", Duration::from_millis(3)).await;
        assert!(fake.seen("JOBQ.MEXTEND").len() >= 4);
    }

    #[tokio::test]
    async fn a_cancelled_and_a_lost_job_are_told_so() {
        assert_eq!(first_order("*2\r\n:1\r\n:2", LEFT).await.1, Some((1, Order::Cancel)));
        assert_eq!(first_order("*2\r\n:-1\r\n:1", LEFT).await.1, Some((0, Order::Lost)));
        assert_eq!(first_order("*2\r\n:1\r\n:0", LEFT).await.1, Some((1, Order::Lost)));
    }

    #[tokio::test]
    async fn a_server_that_is_away_costs_no_job() {
        let fake = TestServer::start(|connection, command| match (connection, &command[0][..]) {
            (0 | 1, b"JOBQ.MEXTEND") => Say::Close,
            (_, b"JOBQ.MEXTEND") => Say::line("*1\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        let commands = Commands::at(fake.server());
        let in_flight = InFlight::default();
        let (holds, mut orders) = in_flight.enter(&[(job(b""), LEFT)], LEASE);
        tokio::select! {
            () = in_flight.keep(&commands) => {}
            () = async { while fake.seen("JOBQ.MEXTEND").len() < 4 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            } } => {}
        }
        assert!(orders.try_recv().is_err());
        in_flight.leave([holds[0].run]);
        assert!(in_flight.lock().by_run.is_empty());
    }
}
