//! Keeping a job while its handler runs.

use std::time::Duration;

use tokio::time::sleep;

use crate::job::Job;
use crate::job::commands::{Held, Queue};
use crate::redis::connection::Fault;
use crate::redis::reconnect_backoff::Backoff;

/// Why a handler has to end although it is fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The lease ran out or the job is gone: somebody else may be working on it.
    TakenOver(Fault),
    /// Somebody cancelled the job.
    Cancelled,
}

/// Renews `job` at a third of `lease`, the first time at a third of `left` if that is less (a job's
/// own LEASE may be shorter than the worker's). Returns only when the job is lost.
///
/// While the server cannot be reached the handler goes on: whether the job was taken over is the
/// server's to say, as soon as it answers again.
pub async fn heartbeat(queue: &Queue, job: &Job, lease: Duration, left: Duration) -> Lost {
    /// Below this a renewal would come no earlier, only more often.
    const SHORTEST: Duration = Duration::from_millis(10);
    sleep((lease.min(left) / 3).max(SHORTEST)).await;
    let mut backoff = Backoff::default();
    loop {
        match queue.extend(job, lease).await {
            Ok(Held::Renewed) => {
                backoff = Backoff::default();
                sleep((lease / 3).max(SHORTEST)).await;
            }
            Ok(Held::CancelRequested) => return Lost::Cancelled,
            Err(fault) if fault.is("FENCED") || fault.is("NOJOB") => return Lost::TakenOver(fault),
            Err(fault) => {
                if backoff.is_fresh() {
                    tracing::warn!(%job, "lease not renewed, trying again: {fault}");
                }
                sleep(backoff.next()).await;
            }
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    /// A server whose n-th renewal is answered by `answers[n]`, the last one for ever.
    async fn kept(answers: &'static [&'static str], left: Duration) -> (Lost, Vec<String>) {
        let renewals = AtomicUsize::new(0);
        let fake = TestServer::start(move |_, command| match &command[0][..] {
            b"JOBQ.EXTEND" => match answers[renewals.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)] {
                "" => Say::Close,
                answer => Say::line(answer),
            },
            _ => Say::line("+OK"),
        })
        .await;
        let queue = Queue::over(Arc::new(SharedConnection::to(Server::at(&fake.url()).unwrap())));
        let lost = heartbeat(&queue, &job(b""), Duration::from_millis(150), left).await;
        (lost, fake.seen("JOBQ.EXTEND"))
    }

    #[tokio::test]
    async fn a_lease_is_renewed_until_the_job_is_taken_over() {
        let begun = Instant::now();
        let (lost, sent) = kept(&[":1", ":1", "-FENCED gone"], Duration::from_secs(9)).await;
        assert!(matches!(lost, Lost::TakenOver(fault) if fault.is("FENCED")));
        assert_eq!(sent, ["JOBQ.EXTEND q j1 7 LEASE 150ms"; 3]);
        assert!(begun.elapsed() >= Duration::from_millis(150), "a third of the lease lies between renewals");
    }

    #[tokio::test]
    async fn a_job_that_is_gone_or_cancelled_is_lost() {
        assert!(matches!(kept(&["-NOJOB no such job"], Duration::ZERO).await.0, Lost::TakenOver(_)));
        assert_eq!(kept(&[":2"], Duration::ZERO).await.0, Lost::Cancelled);
    }

    #[tokio::test]
    async fn a_dropped_connection_does_not_lose_the_job() {
        let (lost, sent) = kept(&["", "-LOADING wait", ":1", ":2"], Duration::ZERO).await;
        assert_eq!(lost, Lost::Cancelled);
        assert_eq!(sent.len(), 4);
    }
}
