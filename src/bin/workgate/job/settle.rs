//! Telling the queue how a run ended, again and again until it answers.
//!
//! ACK and FAIL with the same token answer alike when they are repeated, so one whose connection
//! broke is simply sent again.

use std::time::Duration;

use tokio::time::sleep;

use crate::handler::exit_status::Verdict;
use crate::job::Job;
use crate::job::commands::Queue;
use crate::redis::connection::Fault;
use crate::redis::reconnect_backoff::Backoff;
use crate::shutdown::{Phase, Watch};

/// How long a stopping worker goes on trying to reach the server.
const STOPPING_TRIES: Duration = Duration::from_secs(5);

/// What the queue is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    Verdict(Verdict),
    /// JOBQ.RELEASE: the job was not at fault; its attempt is not charged.
    GiveBack {
        delay: Duration,
    },
}

impl From<Verdict> for Settlement {
    fn from(verdict: Verdict) -> Self {
        Settlement::Verdict(verdict)
    }
}

/// Settles the job. Ends without an answer only when the worker is made to stop; then the job comes
/// back when its lease runs out.
pub async fn settle(queue: &Queue, job: &Job, settlement: &Settlement, watch: &mut Watch) {
    let given_up = async {
        let mut late = watch.clone();
        tokio::select! {
            () = async { watch.reached(Phase::Stopping).await; sleep(STOPPING_TRIES).await } => {}
            () = late.reached(Phase::Killing) => {}
        }
    };
    tokio::select! {
        () = until_answered(queue, job, settlement) => {}
        () = given_up => tracing::error!(%job, "not settled: it runs again when its lease has run out"),
    }
}

async fn until_answered(queue: &Queue, job: &Job, settlement: &Settlement) {
    let mut backoff = Backoff::default();
    loop {
        match once(queue, job, settlement).await {
            Ok(()) => return,
            // Finished before, and its record has gone since: as good as done.
            Err(fault) if fault.is("NOJOB") => return tracing::info!(%job, "already gone"),
            Err(fault) if fault.is("FENCED") => {
                return tracing::warn!(%job, "taken over before it was settled; the other run decides: {fault}");
            }
            Err(fault @ Fault::Refused { .. }) => {
                return tracing::error!(%job, "cannot be settled, it runs again when its lease has run out: {fault}");
            }
            Err(fault @ Fault::Unreachable(_)) => {
                if backoff.is_fresh() {
                    tracing::warn!(%job, "not settled yet, sending again: {fault}");
                }
                sleep(backoff.next()).await;
            }
        }
    }
}

async fn once(queue: &Queue, job: &Job, settlement: &Settlement) -> Result<(), Fault> {
    match settlement {
        Settlement::Verdict(Verdict::Done(result)) => {
            queue.ack(job, result).await?;
            tracing::debug!(%job, attempt = job.attempt, "done");
        }
        Settlement::Verdict(Verdict::Retry(error)) => {
            let state = queue.fail(job, error, false).await?;
            tracing::warn!(%job, attempt = job.attempt, state, "failed: {error}");
        }
        Settlement::Verdict(Verdict::Dead(error)) => {
            let state = queue.fail(job, error, true).await?;
            tracing::warn!(%job, attempt = job.attempt, state, "failed for good: {error}");
        }
        Settlement::GiveBack { delay } => {
            queue.release(job, *delay).await?;
            tracing::info!(%job, "given back");
        }
    }
    Ok(())
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

    async fn settled(fake: &TestServer, settlement: Settlement) {
        let queue = Queue::over(Arc::new(SharedConnection::to(Server::at(&fake.url()).unwrap())));
        settle(&queue, &job(b""), &settlement, &mut Shutdown::new().watch()).await;
    }

    #[tokio::test]
    async fn each_verdict_has_its_command() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.FAIL" => Say::line("*2\r\n+delayed\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        settled(&fake, Verdict::Done(b"r\0".to_vec()).into()).await;
        settled(&fake, Verdict::Done(vec![]).into()).await;
        settled(&fake, Verdict::Retry("exit 1".into()).into()).await;
        settled(&fake, Verdict::Dead("exit 65".into()).into()).await;
        settled(&fake, Settlement::GiveBack { delay: Duration::ZERO }).await;
        settled(&fake, Settlement::GiveBack { delay: Duration::from_secs(1) }).await;
        assert_eq!(
            fake.seen("JOBQ."),
            [
                r"JOBQ.ACK q j1 7 RESULT r\x00",
                "JOBQ.ACK q j1 7",
                "JOBQ.FAIL q j1 7 ERROR exit 1",
                "JOBQ.FAIL q j1 7 ERROR exit 65 DEAD",
                "JOBQ.RELEASE q j1 7",
                "JOBQ.RELEASE q j1 7 DELAY 1s",
            ]
        );
    }

    #[tokio::test]
    async fn an_ack_whose_connection_broke_is_sent_again() {
        let fake = TestServer::start(|connection, command| match (&command[0][..], connection) {
            (b"JOBQ.ACK", 0 | 1) => Say::Close,
            _ => Say::line("+OK"),
        })
        .await;
        settled(&fake, Verdict::Done(vec![]).into()).await;
        assert_eq!(fake.seen("JOBQ.ACK").len(), 3);
    }

    #[tokio::test]
    async fn a_job_that_is_gone_or_taken_over_is_not_asked_for_twice() {
        for answer in ["-NOJOB no such job", "-FENCED taken over", "-ERR no"] {
            let fake = TestServer::start(move |_, command| match &command[0][..] {
                b"JOBQ.ACK" => Say::line(answer),
                _ => Say::line("+OK"),
            })
            .await;
            settled(&fake, Verdict::Done(vec![]).into()).await;
            assert_eq!(fake.seen("JOBQ.ACK").len(), 1, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_killed_worker_does_not_wait_for_an_answer() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.ACK" => Say::Close,
            _ => Say::line("+OK"),
        })
        .await;
        let queue = Queue::over(Arc::new(SharedConnection::to(Server::at(&fake.url()).unwrap())));
        let shutdown = Shutdown::new();
        shutdown.advance(Phase::Killing);
        let settling = async {
            settle(&queue, &job(b""), &Verdict::Done(vec![]).into(), &mut shutdown.watch()).await;
        };
        tokio::time::timeout(Duration::from_secs(3), settling).await.unwrap();
    }
}
