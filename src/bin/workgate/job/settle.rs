//! Telling the queue how runs ended, again and again until it answers.
//!
//! ACK, MACK, FAIL and RELEASE with the same token answer alike when they are repeated, so one
//! whose connection broke is simply sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::sleep;

use crate::handler::Finished;
use crate::handler::verdict::Verdict;
use crate::job::commands::{self, Commands};
use crate::job::in_flight::InFlight;
use crate::redis::connection::Fault;
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::reply;
use crate::shutdown::{Phase, Watch};

/// The most jobs of one MACK.
const MOST_OF_ONE_CALL: usize = 1_000;

/// How long a stopping worker goes on trying to reach the server.
const STOPPING_TRIES: Duration = Duration::from_secs(5);

/// Commands that settle, and the jobs that each of them is about.
#[derive(Debug, Default)]
pub struct Settlement {
    pub commands: Vec<Cmd>,
    about: Vec<Vec<Finished>>,
}

impl Settlement {
    /// Jobs without a result are acknowledged together, the others each by itself. What is not ours
    /// to settle leaves at once.
    pub fn of(finished: Vec<Finished>, in_flight: &InFlight) -> Self {
        let mut settlement = Settlement::default();
        let mut plain: BTreeMap<Vec<u8>, Vec<Finished>> = BTreeMap::new();
        for job in finished {
            if matches!(&job.verdict, Verdict::Done(result) if result.is_empty()) {
                match plain.get_mut(&job.hold.queue) {
                    Some(jobs) => jobs.push(job),
                    None => drop(plain.insert(job.hold.queue.clone(), vec![job])),
                }
            } else if let Some(command) = commands::settle(&job.hold, &job.verdict) {
                settlement.commands.push(command);
                settlement.about.push(vec![job]);
            } else {
                log(&job, "abandoned, it runs again when its lease has run out");
                end(&[(job, "abandoned")], in_flight);
            }
        }
        for (queue, jobs) in plain {
            let mut rest = jobs;
            while !rest.is_empty() {
                let next = rest.split_off(rest.len().min(MOST_OF_ONE_CALL));
                settlement
                    .commands
                    .push(commands::acknowledge_all(&queue, rest.iter().map(|job| &*job.hold)));
                settlement.about.push(std::mem::replace(&mut rest, next));
            }
        }
        settlement
    }

    /// Reads the replies, one for each command; what has no answer yet is handed back.
    pub fn conclude(
        self,
        replies: impl IntoIterator<Item = Result<Value, Fault>>,
        in_flight: &InFlight,
    ) -> Vec<Finished> {
        let mut unanswered = Vec::new();
        let mut ended = Vec::with_capacity(self.about.iter().map(Vec::len).sum());
        for (jobs, reply) in self.about.into_iter().zip(replies) {
            match reply {
                Err(Fault::Unreachable(_)) => unanswered.extend(jobs),
                Err(fault) => {
                    for mut job in jobs {
                        // A server that does not know them, or a kind that is too long: the end
                        // itself counts.
                        if fault.is("ERR") && job.verdict.drop_extras() {
                            tracing::warn!(job = %job.hold, "settled without kind and progress: {fault}");
                            unanswered.push(job);
                        } else {
                            log_refusal(&job, &fault);
                            let outcome = if fault.is("NOJOB") {
                                "gone"
                            } else if fault.is("FENCED") {
                                "lost"
                            } else {
                                "unsettled"
                            };
                            ended.push((job, outcome));
                        }
                    }
                }
                Ok(reply) => {
                    // Only MACK answers with an array of integers.
                    let each = reply::array(&reply).filter(|_| jobs[0].verdict == Verdict::Done(Vec::new()));
                    for (place, job) in jobs.into_iter().enumerate() {
                        let answer = each.map_or(&reply, |each| each.get(place).unwrap_or(&Value::Nil));
                        log_answer(&job, answer);
                        let outcome = outcome(&job, answer);
                        ended.push((job, outcome));
                    }
                }
            }
        }
        end(&ended, in_flight);
        unanswered
    }
}

/// Settles jobs over the shared connection. Ends without an answer only when the worker is made to
/// stop; then the jobs come back when their leases run out.
pub async fn settle_all(commands: &Commands, in_flight: &InFlight, jobs: Vec<Finished>, watch: Watch) {
    let mut left = jobs;
    let mut backoff = ReconnectBackoff::default();
    let (mut stopping, mut killed) = (watch.clone(), watch);
    let given_up = async {
        tokio::select! {
            () = async { stopping.reached(Phase::Stopping).await; sleep(STOPPING_TRIES).await } => {}
            () = killed.reached(Phase::Killing) => {}
        }
    };
    tokio::pin!(given_up);
    while !left.is_empty() {
        let settlement = Settlement::of(left.clone(), in_flight);
        if settlement.commands.is_empty() {
            return;
        }
        tokio::select! {
            replies = commands.connection.call_all(&settlement.commands) => {
                left = settlement.conclude(replies, in_flight);
                if left.is_empty() {
                    return;
                }
                if backoff.is_fresh() {
                    tracing::warn!("{} jobs not settled yet, sending again", left.len());
                }
            }
            () = &mut given_up => break,
        }
        tokio::select! {
            () = sleep(backoff.next()) => {}
            () = &mut given_up => break,
        }
    }
    for job in &left {
        tracing::error!(job = %job.hold, "not settled: it runs again when its lease has run out");
    }
    let ended: Vec<_> = left.into_iter().map(|job| (job, "unsettled")).collect();
    end(&ended, in_flight);
}

/// The jobs are settled, or not ours any more; each with what became of it.
fn end(jobs: &[(Finished, &'static str)], in_flight: &InFlight) {
    in_flight.leave(jobs.iter().map(|(job, _)| job.hold.run));
    for (job, outcome) in jobs {
        if let Some(span) = &job.hold.span {
            span.end(job.took, outcome, &job.verdict);
        }
    }
    let alike = |one: &(Finished, &str), other: &(Finished, &str)| {
        one.1 == other.1 && one.0.hold.queue == other.0.hold.queue
    };
    for jobs in jobs.chunk_by(alike) {
        let (first, outcome) = &jobs[0];
        in_flight.metrics.count_ends(&first.hold.queue, outcome, jobs.iter().map(|(job, _)| job.took));
    }
}

/// What became of a job by what the server answered.
fn outcome(job: &Finished, answer: &Value) -> &'static str {
    match (&job.verdict, answer) {
        (Verdict::Done(_), Value::Int(0)) => "gone",
        (Verdict::Done(_), Value::Int(-1)) => "lost",
        (Verdict::Retry { .. } | Verdict::Dead(_), answer) => {
            match reply::array(answer).and_then(|fields| reply::text(fields.first()?)) {
                Some("dead") => "dead",
                Some("cancelled") => "cancelled",
                _ => "failed",
            }
        }
        (verdict, _) => verdict.outcome(),
    }
}

/// A line for each job.
fn log(job: &Finished, note: &str) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let Finished { hold, name, attempt, took, verdict } = job;
    let name = name.as_ref().map(|name| name.escape_ascii().to_string());
    let name = name.as_deref();
    let (outcome, ms) = (verdict.outcome(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    match verdict {
        Verdict::Retry { failure, .. } | Verdict::Dead(failure) => {
            let kind = failure.kind.as_deref();
            tracing::warn!(job = %hold, name, attempt, outcome, ms, kind, error = ?failure.error, "{note}");
        }
        Verdict::Abandoned => tracing::warn!(job = %hold, name, attempt, outcome, ms, "{note}"),
        _ => tracing::info!(job = %hold, name, attempt, outcome, ms, "{note}"),
    }
}

fn log_answer(job: &Finished, answer: &Value) {
    match (&job.verdict, answer) {
        (Verdict::Done(_), Value::Int(0)) => log(job, "already gone"),
        (Verdict::Done(_), Value::Int(-1)) => log_fenced(job),
        (Verdict::Retry { .. } | Verdict::Dead(_), answer) => {
            let state = reply::array(answer).and_then(|fields| reply::text(fields.first()?));
            log(job, state.unwrap_or("answered in an unknown way"));
        }
        (Verdict::Release { .. }, _) => log(job, "given back"),
        _ => log(job, "acknowledged"),
    }
}

fn log_refusal(job: &Finished, fault: &Fault) {
    if fault.is("NOJOB") {
        // Finished before, and its record has gone since: as good as done.
        log(job, "already gone");
    } else if fault.is("FENCED") {
        log_fenced(job);
    } else {
        tracing::error!(job = %job.hold, "cannot be settled, it runs again when its lease has run out: {fault}");
    }
}

fn log_fenced(job: &Finished) {
    tracing::warn!(job = %job.hold, attempt = job.attempt, "taken over before it was settled; the other run decides");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::verdict::Failure;
    use crate::job::commands::tests::{hold, text};
    use crate::redis::test_server::{Say, TestServer};
    use crate::shutdown::Shutdown;
    use std::sync::Arc;

    fn finished(verdict: Verdict) -> Finished {
        Finished { hold: Arc::new(hold()), name: None, attempt: 1, took: Duration::ZERO, verdict }
    }

    async fn settled(fake: &TestServer, verdict: Verdict) {
        let commands = Commands::at(fake.server());
        settle_all(&commands, &InFlight::default(), vec![finished(verdict)], Shutdown::new().watch()).await;
    }

    #[test]
    fn jobs_without_a_result_are_acknowledged_together() {
        let done = || finished(Verdict::Done(vec![]));
        let jobs = vec![done(), finished(Verdict::Done(b"r".to_vec())), done()];
        let settlement = Settlement::of(jobs, &InFlight::default());
        let commands: Vec<String> = settlement.commands.iter().map(text).collect();
        assert_eq!(commands, ["JOBQ.ACK q j1 7 RESULT r", "JOBQ.MACK q 2 j1 7 j1 7"]);
        let many = (0..2_500).map(|_| done()).collect();
        assert_eq!(Settlement::of(many, &InFlight::default()).commands.len(), 3);
    }

    #[tokio::test]
    async fn an_ack_whose_connection_broke_is_sent_again() {
        let fake = TestServer::start(|connection, command| match (&command[0][..], connection) {
            (b"JOBQ.MACK", 0 | 1) => Say::Close,
            (b"JOBQ.MACK", _) => Say::line("*1\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        settled(&fake, Verdict::Done(vec![])).await;
        assert_eq!(fake.seen("JOBQ.MACK").len(), 3);
    }

    #[tokio::test]
    async fn a_job_that_is_gone_or_taken_over_is_not_asked_for_twice() {
        for answer in ["-NOJOB no such job", "-FENCED taken over", "-ERR no"] {
            let fake = TestServer::start(move |_, command| match &command[0][..] {
                b"JOBQ.ACK" => Say::line(answer),
                _ => Say::line("+OK"),
            })
            .await;
            settled(&fake, Verdict::Done(b"r".to_vec())).await;
            assert_eq!(fake.seen("JOBQ.ACK").len(), 1, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_failure_whose_kind_is_refused_is_recorded_without_it() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.FAIL" if command.len() > 6 => Say::line("-ERR syntax error near 'KIND'"),
            b"JOBQ.FAIL" => Say::line("*2\r\n+delayed\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        let failure = Failure { error: "no".into(), kind: Some("k".repeat(99)), progress: None };
        settled(&fake, Verdict::Retry { failure, delay: None }).await;
        assert_eq!(fake.seen("JOBQ.FAIL").last().unwrap(), "JOBQ.FAIL q j1 7 ERROR no");
    }

    #[tokio::test]
    async fn a_killed_worker_does_not_wait_for_an_answer() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.MACK" => Say::Close,
            _ => Say::line("+OK"),
        })
        .await;
        let commands = Commands::at(fake.server());
        let shutdown = Shutdown::new();
        shutdown.advance(Phase::Killing);
        let in_flight = InFlight::default();
        let jobs = vec![finished(Verdict::Done(vec![]))];
        let settling = settle_all(&commands, &in_flight, jobs, shutdown.watch());
        tokio::time::timeout(Duration::from_secs(3), settling).await.unwrap();
    }
}
