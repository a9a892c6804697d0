//! Taking jobs: JOBQ.POP on a connection of its own, as it blocks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::{Cmd, Value, cmd};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::job::Job;
use crate::redis::connection::{Facts, Fault, Server};
use crate::redis::fetch_connection::FetchConnection;
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::redis::shared_connection::SharedConnection;
use crate::shutdown::{Phase, Watch};

/// How long one POP waits for a job. Short enough to notice a dead connection, long enough to cost
/// nothing.
pub const BLOCK: Duration = Duration::from_secs(5);

/// How often a POP in flight at shutdown is asked to end.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The pause after a POP that was to wait and did not: too many wait there already, say, and the
/// next would come back as soon.
const TURNED_AWAY: Duration = Duration::from_millis(250);

/// What one write brought: the answers to the settlements in it, and what its POP brought. An error
/// of the POP is a refusal, which another try would not change.
#[derive(Debug)]
pub struct Fetched {
    pub settled: Vec<Result<Value, Fault>>,
    pub popped: Result<Popped, Fault>,
}

/// What a POP brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped {
    /// Jobs with what is left of their leases; none when there was nothing to do.
    Jobs(Vec<(Job, Duration)>),
    /// The connection broke; [`Fetcher::ready`] makes a new one.
    Lost,
    /// The worker stops, and no job was handed over.
    Stopped,
}

/// Ends the waits of all POPs that were sent before, so that their slots can be used elsewhere.
#[derive(Debug, Clone)]
pub struct CancelFetch(watch::Sender<()>);

/// Changes when the wait is to end.
pub type FetchCancelled = watch::Receiver<()>;

impl CancelFetch {
    pub fn new() -> Self {
        CancelFetch(watch::Sender::new(()))
    }

    pub fn all(&self) {
        self.0.send_replace(());
    }

    /// For a POP that is sent from now on.
    pub fn listen(&self) -> FetchCancelled {
        self.0.subscribe()
    }
}

/// The connection that waits for the jobs of one source.
#[derive(Debug)]
pub struct Fetcher {
    server: Server,
    link: Arc<SharedConnection>,
    /// In a cluster: its connection is to the owner of this slot.
    slot: Option<i64>,
    line: Option<Waiting>,
    backoff: ReconnectBackoff,
}

/// An open connection.
#[derive(Debug, Clone)]
struct Waiting {
    line: Arc<FetchConnection>,
    client: i64,
    /// The server's clock minus ours, in milliseconds.
    ahead_ms: i64,
    can_unblock: bool,
    /// To the same server, for CLIENT UNBLOCK, which must come from another connection.
    control: Arc<SharedConnection>,
}

impl Fetcher {
    pub fn new(server: Server, link: Arc<SharedConnection>, slot: Option<i64>) -> Self {
        Fetcher { server, link, slot, line: None, backoff: ReconnectBackoff::default() }
    }

    /// Opens the connection, however long that takes; false when the worker stops. An error is a
    /// refusal, which another try would not change.
    pub async fn ready(&mut self, watch: &mut Watch) -> Result<bool, Fault> {
        while self.line.is_none() {
            // A server that takes connections and closes them again is no reason to hurry.
            if !self.backoff.is_fresh() {
                tokio::select! {
                    () = sleep(self.backoff.next()) => {}
                    () = watch.reached(Phase::Quiet) => return Ok(false),
                }
            }
            let opened = tokio::select! {
                opened = self.open() => opened,
                () = watch.reached(Phase::Quiet) => return Ok(false),
            };
            match opened {
                Ok(waiting) => self.line = Some(waiting),
                Err(Fault::Unreachable(text)) => self.broke(&text),
                Err(refused) => return Err(refused),
            }
        }
        Ok(watch.now() < Phase::Quiet)
    }

    /// Sends settlements and a POP behind them in one write; `block` is how long the POP waits.
    pub async fn fetch(
        &mut self,
        settlements: &[Cmd],
        pop: Cmd,
        block: Option<Duration>,
        watch: &mut Watch,
        cancelled: &mut FetchCancelled,
    ) -> Fetched {
        let lost = || {
            let away = Fault::Unreachable("the connection broke".into());
            let settled = settlements.iter().map(|_| Err(away.clone())).collect();
            Fetched { settled, popped: Ok(Popped::Lost) }
        };
        let Some(waiting) = self.line.clone() else { return lost() };
        let mut commands = settlements.to_vec();
        commands.push(pop);
        let answers = once(&waiting, &commands, block, watch, cancelled).await;
        match answers {
            Ok(Answer::Stopped) => Fetched { popped: Ok(Popped::Stopped), ..lost() },
            Err(fault) => {
                self.broke(&fault.to_string());
                lost()
            }
            Ok(Answer::Replies(mut settled)) => {
                let answer = settled.pop().unwrap_or_else(|| Err(Fault::Unreachable("no answer".into())));
                match answer {
                    Err(Fault::Unreachable(text)) => {
                        self.broke(&text);
                        Fetched { settled, popped: Ok(Popped::Lost) }
                    }
                    Err(refused) => Fetched { settled, popped: Err(refused) },
                    Ok(rows) => {
                        if !self.backoff.is_fresh() {
                            tracing::info!("taking jobs{} again", self.shown_slot());
                            self.backoff = ReconnectBackoff::default();
                        }
                        Fetched { settled, popped: waiting.read(rows) }
                    }
                }
            }
        }
    }

    /// Whether the waits of this source can be ended one by one.
    pub fn can_be_cancelled(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.can_unblock)
    }

    fn broke(&mut self, text: &str) {
        self.line = None;
        if self.backoff.is_fresh() {
            tracing::warn!("cannot take jobs{}, trying again: {text}", self.shown_slot());
            // From now on there are pauses.
            self.backoff.next();
        }
    }

    fn shown_slot(&self) -> String {
        self.slot.map(|slot| format!(" of slot {slot}")).unwrap_or_default()
    }

    async fn open(&self) -> Result<Waiting, Fault> {
        let (server, control) = match (&*self.link, self.slot) {
            (SharedConnection::Cluster(cluster), Some(slot)) => {
                let owner = cluster.owner(slot).await?;
                (owner.clone(), Arc::new(SharedConnection::to(owner)))
            }
            _ => (self.server.clone(), self.link.clone()),
        };
        // Without a time-out: a job that comes late must find its reader.
        let line = Arc::new(server.connect_to_fetch().await?);
        let client = match line.call(cmd("CLIENT").arg("ID")).await? {
            Value::Int(id) => id,
            other => return Err(Fault::unexpected("CLIENT ID", &other)),
        };
        let reply = line.call(&cmd("TIME")).await?;
        let (seconds, micros): (i64, i64) =
            redis::from_redis_value_ref(&reply).map_err(|_| Fault::unexpected("TIME", &reply))?;
        let ahead_ms = seconds * 1_000 + micros / 1_000 - now_ms();
        let can_unblock = Facts::of(line.call(&Facts::question()).await)?.can_unblock;
        Ok(Waiting { line, client, ahead_ms, can_unblock, control })
    }
}

enum Answer {
    Replies(Vec<Result<Value, Fault>>),
    /// The worker ends, and there was no answer.
    Stopped,
}

async fn once(
    waiting: &Waiting,
    commands: &[Cmd],
    block: Option<Duration>,
    watch: &mut Watch,
    cancelled: &mut FetchCancelled,
) -> Result<Answer, Fault> {
    let begun = Instant::now();
    let answer = waiting.line.call_all(commands);
    tokio::pin!(answer);
    tokio::select! {
        biased;
        replies = &mut answer => {
            let replies = replies?;
            let is_early = block.is_some_and(|block| begun.elapsed() < block / 2);
            let brought_none = matches!(replies.last(), Some(Ok(Value::Nil)))
                || replies.last().is_some_and(|last| matches!(last, Ok(Value::Array(rows)) if rows.is_empty()));
            if is_early && brought_none {
                tokio::select! {
                    () = sleep(TURNED_AWAY) => {}
                    () = watch.reached(Phase::Quiet) => {}
                    _ = cancelled.changed() => {}
                }
            }
            return Ok(Answer::Replies(replies));
        }
        () = watch.reached(Phase::Quiet) => {}
        _ = cancelled.changed(), if waiting.can_unblock => {}
    }
    // The server may be handing over a job in this moment: dropping the connection would leave it
    // active until its lease ran out. So the wait is ended there, and its answer read here.
    if !waiting.can_unblock {
        waiting.line.send_no_more();
    }
    let mut given_up = watch.clone();
    let given_up = async {
        given_up.reached(Phase::Stopping).await;
        sleep(BLOCK).await;
    };
    tokio::pin!(given_up);
    loop {
        tokio::select! {
            biased;
            replies = &mut answer => return match replies {
                Err(Fault::Unreachable(_)) if !waiting.can_unblock => Ok(Answer::Stopped),
                replies => replies.map(Answer::Replies),
            },
            () = watch.reached(Phase::Killing) => return Ok(Answer::Stopped),
            () = &mut given_up => return Ok(Answer::Stopped),
            () = waiting.ask_to_end(), if waiting.can_unblock => {}
        }
    }
}

impl Waiting {
    /// Ends the wait; repeated, as it may overtake the POP on its way.
    async fn ask_to_end(&self) {
        let asked = timeout(BLOCK, self.control.call(cmd("CLIENT").arg("UNBLOCK").arg(self.client))).await;
        if let Ok(Err(fault @ Fault::Refused { .. })) = asked {
            // Not permitted, say: then the wait ends by itself.
            tracing::debug!("CLIENT UNBLOCK: {fault}");
            sleep(BLOCK).await;
        }
        sleep(ASK_EVERY).await;
    }

    fn read(&self, reply: Value) -> Result<Popped, Fault> {
        let rows = match reply {
            Value::Array(rows) => rows,
            Value::Nil => Vec::new(),
            other => return Err(Fault::unexpected("JOBQ.POP", &other)),
        };
        let server_now = now_ms() + self.ahead_ms;
        let jobs = rows.into_iter().map(|row| {
            let job = Job::read(row).map_err(|row| Fault::unexpected("JOBQ.POP", &row))?;
            let left = job.lease_left(server_now);
            Ok((job, left))
        });
        jobs.collect::<Result<_, _>>().map(Popped::Jobs)
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::commands;
    use crate::redis::test_server::{Command, Say, TestServer};
    use crate::shutdown::Shutdown;

    /// One job `j1` whose lease ends ten seconds after the server's time of 1000 s.
    const ONE_JOB: &str =
        "*1\r\n*9\r\n$2\r\nj1\r\n:7\r\n$1\r\np\r\n:1\r\n:1010000\r\n$1\r\nq\r\n$-1\r\n$-1\r\n$-1\r\n";

    fn common(command: &Command) -> Say {
        match (&command[0][..], &command[1..]) {
            (b"CLIENT", [id]) if id == b"ID" => Say::line(":42"),
            (b"CLIENT", [unblock, ..]) if unblock == b"UNBLOCK" => Say::line(":1"),
            (b"TIME", _) => Say::line("*2\r\n$4\r\n1000\r\n$1\r\n0"),
            _ => Say::line("+OK"),
        }
    }

    fn fetcher(fake: &TestServer) -> (Fetcher, Cmd) {
        let server = fake.server();
        let pop = commands::pop(&["q".into()], None, 2, Some(BLOCK), Duration::from_secs(30), "me");
        (Fetcher::new(server.clone(), Arc::new(SharedConnection::to(server)), None), pop)
    }

    /// Until there is an answer, as the worker does it.
    async fn popped(fetcher: &mut Fetcher, pop: &Cmd, watch: &mut Watch) -> Result<Popped, Fault> {
        let cancel_fetch = CancelFetch::new();
        loop {
            if !fetcher.ready(watch).await? {
                return Ok(Popped::Stopped);
            }
            let fetched =
                fetcher.fetch(&[], pop.clone(), Some(BLOCK), watch, &mut cancel_fetch.listen()).await;
            match fetched.popped? {
                Popped::Lost => {}
                popped => return Ok(popped),
            }
        }
    }

    #[tokio::test]
    async fn jobs_come_with_the_rest_of_their_lease_by_the_servers_clock() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::Bytes(ONE_JOB.into()),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let Ok(Popped::Jobs(jobs)) = popped(&mut fetcher, &pop, &mut Shutdown::new().watch()).await else {
            panic!("no jobs")
        };
        assert_eq!(jobs.len(), 1);
        let left = jobs[0].1;
        assert!(left > Duration::from_secs(8) && left <= Duration::from_millis(10_100), "{left:?}");
    }

    #[tokio::test]
    async fn a_broken_connection_is_opened_again() {
        let fake = TestServer::start(|connection, command| match (connection, &command[0][..]) {
            (0 | 1, b"JOBQ.POP") => Say::Close,
            (_, b"JOBQ.POP") => Say::Bytes(ONE_JOB.into()),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        assert!(
            matches!(popped(&mut fetcher, &pop, &mut Shutdown::new().watch()).await, Ok(Popped::Jobs(jobs)) if jobs.len() == 1)
        );
    }

    #[tokio::test]
    async fn a_refusal_ends_the_worker() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::line("-WRONGTYPE the key holds another type"),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let fault = popped(&mut fetcher, &pop, &mut Shutdown::new().watch()).await.unwrap_err();
        assert!(fault.is("WRONGTYPE"), "{fault}");
    }

    #[tokio::test]
    async fn a_row_that_is_no_job_is_told_without_its_payload() {
        let row = format!("*1\r\n*2\r\n$2\r\nj1\r\n$5000\r\n{}\r\n", "p".repeat(5_000));
        let fake = TestServer::start(move |_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::Bytes(row.clone().into()),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let fault = popped(&mut fetcher, &pop, &mut Shutdown::new().watch()).await.unwrap_err();
        assert!(fault.is("REPLY") && fault.to_string().len() < 400, "{fault}");
    }

    #[tokio::test]
    async fn a_job_handed_over_at_shutdown_is_not_lost() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::WhenUnblocked(ONE_JOB.into()),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let shutdown = Shutdown::new();
        let mut watch = shutdown.watch();
        let stop = async {
            while fake.seen("JOBQ.POP").is_empty() {
                sleep(Duration::from_millis(5)).await;
            }
            shutdown.advance(Phase::Quiet);
        };
        let (answer, ()) = tokio::join!(popped(&mut fetcher, &pop, &mut watch), stop);
        assert!(matches!(answer, Ok(Popped::Jobs(jobs)) if jobs.len() == 1));
        assert_eq!(fake.seen("CLIENT UNBLOCK")[0], "CLIENT UNBLOCK 42");
    }

    #[tokio::test]
    async fn an_unreachable_server_does_not_hold_up_a_shutdown() {
        let fake = TestServer::start(|_, _| Say::Close).await;
        let (mut fetcher, pop) = fetcher(&fake);
        let shutdown = Shutdown::new();
        let mut watch = shutdown.watch();
        let begun = Instant::now();
        let stop = async {
            sleep(Duration::from_millis(300)).await;
            shutdown.advance(Phase::Quiet);
        };
        let (answer, ()) = tokio::join!(popped(&mut fetcher, &pop, &mut watch), stop);
        assert_eq!(answer, Ok(Popped::Stopped));
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_wait_that_is_recalled_ends_and_brings_what_came_meanwhile() {
        for (answer, jobs) in [("*0\r\n", 0), (ONE_JOB, 1)] {
            let fake = TestServer::start(move |_, command| match &command[0][..] {
                b"JOBQ.POP" => Say::WhenUnblocked(answer.into()),
                _ => common(command),
            })
            .await;
            let (mut fetcher, pop) = fetcher(&fake);
            let cancel_fetch = CancelFetch::new();
            let back = async {
                while fake.seen("JOBQ.POP").is_empty() {
                    sleep(Duration::from_millis(5)).await;
                }
                cancel_fetch.all();
            };
            let mut watch = Shutdown::new().watch();
            assert_eq!(fetcher.ready(&mut watch).await, Ok(true));
            let mut cancelled = cancel_fetch.listen();
            let fetching = fetcher.fetch(&[], pop, Some(BLOCK), &mut watch, &mut cancelled);
            let (answer, ()) = tokio::join!(fetching, back);
            assert!(matches!(answer.popped, Ok(Popped::Jobs(got)) if got.len() == jobs));
        }
    }

    #[tokio::test]
    async fn a_server_that_lets_nobody_wait_is_not_asked_all_the_time() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::line("*0"),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let mut watch = Shutdown::new().watch();
        let begun = Instant::now();
        assert_eq!(popped(&mut fetcher, &pop, &mut watch).await, Ok(Popped::Jobs(vec![])));
        assert!(begun.elapsed() >= TURNED_AWAY);
    }

    #[tokio::test]
    async fn settlements_go_with_the_pop_in_one_write() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.POP" => Say::Bytes(ONE_JOB.into()),
            b"JOBQ.MACK" => Say::line("*1\r\n:1"),
            _ => common(command),
        })
        .await;
        let (mut fetcher, pop) = fetcher(&fake);
        let mut watch = Shutdown::new().watch();
        assert_eq!(fetcher.ready(&mut watch).await, Ok(true));
        let mut mack = cmd("JOBQ.MACK");
        mack.arg("q").arg(1).arg("j0").arg(6);
        let fetched = fetcher.fetch(&[mack], pop, None, &mut watch, &mut CancelFetch::new().listen()).await;
        assert_eq!(fetched.settled, [Ok(Value::Array(vec![Value::Int(1)]))]);
        assert!(matches!(fetched.popped, Ok(Popped::Jobs(jobs)) if jobs.len() == 1));
    }
}
