//! One run of one job, from its POP to its settlement.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::handler::exit_status::{Verdict, outcome_of, reason};
use crate::handler::{Handler, RESULT_AT_MOST, Run};
use crate::job::Job;
use crate::job::commands::Queue;
use crate::job::lease_renewal::{self, Lost};
use crate::job::settle::{Settlement, settle};
use crate::shutdown::{Phase, Watch};

/// What every attempt of a worker shares.
#[derive(Debug)]
pub struct Worker {
    pub queue: Queue,
    pub handler: Handler,
    pub lease: Duration,
    /// A handler that runs longer is stopped.
    pub timeout: Option<Duration>,
}

impl Worker {
    /// Runs the handler and settles the job; `left` is what is left of its lease.
    pub async fn attempt(&self, mut job: Job, left: Duration, mut watch: Watch) {
        if watch.now() >= Phase::Draining {
            return self.give_back(&job, watch).await;
        }
        let settlement = match self.handler.start(&mut job) {
            Ok(run) => self.attend(run, &job, left, &mut watch).await,
            Err(error) => Some(cannot_start(&error)),
        };
        if let Some(settlement) = settlement {
            settle(&self.queue, &job, &settlement, &mut watch).await;
        }
    }

    /// For a job that came after the worker began to stop.
    pub async fn give_back(&self, job: &Job, mut watch: Watch) {
        settle(&self.queue, job, &Settlement::GiveBack { delay: Duration::ZERO }, &mut watch).await;
    }

    /// Waits for the first of: the handler's end, the loss of the job, the timeout, the worker's stop.
    /// None when the job is no longer ours to settle.
    async fn attend(&self, mut run: Run, job: &Job, left: Duration, watch: &mut Watch) -> Option<Settlement> {
        let cut = async {
            match self.timeout {
                Some(timeout) => sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let mut killed = watch.clone();
        tokio::select! {
            // A handler that has ended is judged by its end, whatever else came in the same moment.
            biased;
            ended = run.finished() => match ended {
                Ok(ended) => {
                    let output = run.into_output();
                    if output.stdout_cut {
                        tracing::warn!(%job, "printed more than {RESULT_AT_MOST} bytes: the rest is left out of its result");
                    }
                    Some(outcome_of(ended, output.stdout, &output.stderr).into())
                }
                Err(error) => {
                    run.kill().await;
                    Some(Verdict::Retry(format!("cannot wait for the handler: {error}")).into())
                }
            },
            () = killed.reached(Phase::Killing) => {
                run.kill().await;
                None
            }
            lost = lease_renewal::heartbeat(&self.queue, job, self.lease, left) => {
                run.kill().await;
                match lost {
                    Lost::TakenOver(fault) => {
                        tracing::warn!(%job, "lost, its handler is killed: {fault}");
                        None
                    }
                    Lost::Cancelled => {
                        tracing::info!(%job, "cancelled, its handler is killed");
                        Some(Verdict::Retry("cancelled".into()).into())
                    }
                }
            }
            () = cut => {
                self.stop(&mut run, watch).await;
                let what = format!("timeout after {:?}", self.timeout.unwrap_or_default());
                Some(Verdict::Retry(reason(&what, &run.into_output().stderr)).into())
            }
            () = watch.reached(Phase::Stopping) => {
                self.stop(&mut run, &mut killed).await;
                Some(Settlement::GiveBack { delay: Duration::ZERO })
            }
        }
    }

    /// Stops with time to clean up, unless the worker is killed meanwhile.
    async fn stop(&self, run: &mut Run, watch: &mut Watch) {
        tokio::select! {
            () = run.stop() => return,
            () = watch.reached(Phase::Killing) => {}
        }
        run.kill().await;
    }
}

/// A handler that could not even start: too large an environment is this job's fault, all else is the
/// machine's, and costs the job no attempt.
fn cannot_start(error: &io::Error) -> Settlement {
    const PAUSE: Duration = Duration::from_secs(1);
    match error.kind() {
        io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => {
            Verdict::Dead(format!("cannot start the handler: {error}")).into()
        }
        _ => {
            tracing::error!("cannot start the handler, giving the job back: {error}");
            Settlement::GiveBack { delay: PAUSE }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;
    use crate::redis::connection::Server;
    use crate::redis::shared_connection::SharedConnection;
    use crate::redis::test_server::{Say, TestServer};
    use crate::shutdown::Shutdown;
    use std::sync::Arc;
    use std::time::Instant;

    /// A server on which a renewal gets this answer.
    async fn server(extend: &'static str) -> TestServer {
        TestServer::start(move |_, command| match &command[0][..] {
            b"JOBQ.EXTEND" => Say::line(extend),
            b"JOBQ.FAIL" => Say::line("*2\r\n+delayed\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await
    }

    fn worker(fake: &TestServer, command: &str, timeout: Option<Duration>) -> Worker {
        let server = Server::at(&fake.url()).unwrap();
        Worker {
            queue: Queue::over(Arc::new(SharedConnection::to(server))),
            handler: Handler { command: command.into(), redis: fake.url() },
            lease: Duration::from_millis(150),
            timeout,
        }
    }

    const LEFT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_handler_that_outlives_its_lease_keeps_the_job_and_is_acknowledged() {
        let fake = server(":1").await;
        worker(&fake, "sleep 0.4; echo sent", None).attempt(job(b""), LEFT, Shutdown::new().watch()).await;
        assert!(fake.seen("JOBQ.EXTEND").len() >= 3);
        assert_eq!(fake.seen("JOBQ.ACK"), [r"JOBQ.ACK q j1 7 RESULT sent\n"]);
    }

    #[tokio::test]
    async fn a_job_taken_over_is_killed_and_not_settled() {
        let fake = server("-FENCED taken over").await;
        let begun = Instant::now();
        worker(&fake, "trap '' TERM; sleep 60", None).attempt(job(b""), LEFT, Shutdown::new().watch()).await;
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(fake.seen("JOBQ.ACK").is_empty() && fake.seen("JOBQ.FAIL").is_empty());
    }

    #[tokio::test]
    async fn a_cancelled_job_is_killed_and_told_so() {
        let fake = server(":2").await;
        worker(&fake, "sleep 60", None).attempt(job(b""), LEFT, Shutdown::new().watch()).await;
        assert_eq!(fake.seen("JOBQ.FAIL"), ["JOBQ.FAIL q j1 7 ERROR cancelled"]);
    }

    #[tokio::test]
    async fn a_timeout_stops_the_handler_and_fails_the_job() {
        let fake = server(":1").await;
        let worker = worker(&fake, "echo slow >&2; sleep 60", Some(Duration::from_millis(300)));
        worker.attempt(job(b""), LEFT, Shutdown::new().watch()).await;
        assert_eq!(fake.seen("JOBQ.FAIL"), ["JOBQ.FAIL q j1 7 ERROR timeout after 300ms: slow"]);
    }

    #[tokio::test]
    async fn when_the_grace_is_over_the_job_is_given_back() {
        let fake = server(":1").await;
        let shutdown = Shutdown::new();
        let worker = worker(&fake, "sleep 60", None);
        let attempt = worker.attempt(job(b""), LEFT, shutdown.watch());
        let stop = async {
            sleep(Duration::from_millis(100)).await;
            shutdown.advance(Phase::Draining);
            sleep(Duration::from_millis(100)).await;
            assert!(fake.seen("JOBQ.RELEASE").is_empty(), "draining lets handlers run");
            shutdown.advance(Phase::Stopping);
        };
        tokio::join!(attempt, stop);
        assert_eq!(fake.seen("JOBQ.RELEASE"), ["JOBQ.RELEASE q j1 7"]);
    }

    #[tokio::test]
    async fn a_job_that_comes_after_the_stop_is_given_back_unrun() {
        let fake = server(":1").await;
        let shutdown = Shutdown::new();
        shutdown.advance(Phase::Draining);
        worker(&fake, "echo run", None).attempt(job(b""), LEFT, shutdown.watch()).await;
        assert_eq!(fake.seen("JOBQ."), ["JOBQ.RELEASE q j1 7"]);
    }

    #[tokio::test]
    async fn a_killed_worker_kills_at_once_and_settles_nothing() {
        let fake = server(":1").await;
        let shutdown = Shutdown::new();
        let worker = worker(&fake, "trap '' TERM; sleep 60", None);
        let begun = Instant::now();
        let attempt = worker.attempt(job(b""), LEFT, shutdown.watch());
        let kill = async {
            sleep(Duration::from_millis(20)).await;
            shutdown.advance(Phase::Killing);
        };
        tokio::join!(attempt, kill);
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(fake.seen("JOBQ.ACK").is_empty() && fake.seen("JOBQ.RELEASE").is_empty());
    }

    #[tokio::test]
    async fn an_id_too_long_for_an_environment_is_dead_and_other_faults_cost_nothing() {
        let fake = server(":1").await;
        let mut long = job(b"");
        long.id = vec![b'x'; 3 << 20];
        worker(&fake, "true", None).attempt(long, LEFT, Shutdown::new().watch()).await;
        let failed = fake.seen("JOBQ.FAIL");
        assert!(failed.len() == 1 && failed[0].ends_with("DEAD"), "{}", failed.len());
        assert!(matches!(cannot_start(&io::ErrorKind::OutOfMemory.into()), Settlement::GiveBack { .. }));
    }
}
