//! The commands a worker sends, and what their replies mean.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use crate::args::duration::written;
use crate::job::Job;
use crate::redis::connection::Fault;
use crate::redis::shared_connection::SharedConnection;
use crate::reply;

/// What a renewal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The lease runs from now on anew.
    Renewed,
    /// Still held, but somebody asked for the job to be cancelled.
    CancelRequested,
}

/// JOBQ commands over the shared connection. Each is one try.
#[derive(Debug, Clone)]
pub struct Queue {
    link: Arc<SharedConnection>,
}

impl Queue {
    pub fn over(link: Arc<SharedConnection>) -> Self {
        Queue { link }
    }

    pub async fn ack(&self, job: &Job, result: &[u8]) -> Result<(), Fault> {
        let mut command = on(job, "JOBQ.ACK");
        if !result.is_empty() {
            command.arg("RESULT").arg(result);
        }
        self.link.call(&command).await.map(drop)
    }

    /// The state the job went to: `delayed`, `dead` or `cancelled`.
    pub async fn fail(&self, job: &Job, error: &str, dead: bool) -> Result<String, Fault> {
        let mut command = on(job, "JOBQ.FAIL");
        command.arg("ERROR").arg(error);
        if dead {
            command.arg("DEAD");
        }
        let reply = self.link.call(&command).await?;
        let state = reply::array(&reply).and_then(|fields| reply::text(fields.first()?));
        state.map(str::to_owned).ok_or_else(|| Fault::unexpected("JOBQ.FAIL", &reply))
    }

    /// Gives the job back; its attempt is not charged.
    pub async fn release(&self, job: &Job, delay: Duration) -> Result<(), Fault> {
        let mut command = on(job, "JOBQ.RELEASE");
        if !delay.is_zero() {
            command.arg("DELAY").arg(written(delay));
        }
        self.link.call(&command).await.map(drop)
    }

    pub async fn extend(&self, job: &Job, lease: Duration) -> Result<Held, Fault> {
        let mut command = on(job, "JOBQ.EXTEND");
        command.arg("LEASE").arg(written(lease));
        match self.link.call(&command).await? {
            Value::Int(1) => Ok(Held::Renewed),
            Value::Int(2) => Ok(Held::CancelRequested),
            other => Err(Fault::unexpected("JOBQ.EXTEND", &other)),
        }
    }

    /// How many jobs are ready, delayed or active: what `--until-empty` waits for. Blocked jobs do
    /// not count: nothing that is still to run can unblock them.
    pub async fn pending(&self, queue: &str) -> Result<i64, Fault> {
        let reply = self.link.call(cmd("JOBQ.STATS").arg(queue)).await?;
        let count = |state| reply::field(&reply, state).and_then(reply::integer);
        ["ready", "delayed", "active"]
            .into_iter()
            .map(count)
            .sum::<Option<i64>>()
            .ok_or_else(|| Fault::unexpected("JOBQ.STATS", &reply))
    }
}

/// JOBQ.POP for up to `count` jobs in the name of `worker`, waiting up to `block`.
pub fn pop(queues: &[String], count: usize, block: Option<Duration>, lease: Duration, worker: &str) -> Cmd {
    let mut command = cmd("JOBQ.POP");
    if let Some((first, others)) = queues.split_first() {
        command.arg(first);
        if !others.is_empty() {
            command.arg("ALSO").arg(others.len()).arg(others);
        }
    }
    command.arg("COUNT").arg(count);
    if let Some(block) = block {
        command.arg("BLOCK").arg(written(block));
    }
    command.arg("LEASE").arg(written(lease)).arg("WORKER").arg(worker);
    command
}

fn on(job: &Job, name: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(&job.queue).arg(&job.id).arg(job.token);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;
    use crate::redis::connection::Server;
    use crate::redis::test_server::{Say, TestServer};

    fn text(command: &Cmd) -> String {
        let args: Vec<_> = command
            .args_iter()
            .map(|arg| match arg {
                redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => panic!("a cursor"),
            })
            .collect();
        args.join(" ")
    }

    #[test]
    fn a_pop_of_several_queues_names_the_others_after_also() {
        let all = ["a".into(), "b".into(), "c".into()];
        let lease = Duration::from_millis(1_500);
        assert_eq!(
            text(&pop(&all, 8, Some(Duration::from_secs(5)), lease, "host:1")),
            "JOBQ.POP a ALSO 2 b c COUNT 8 BLOCK 5s LEASE 1500ms WORKER host:1"
        );
        assert_eq!(text(&pop(&all[..1], 1, None, lease, "w")), "JOBQ.POP a COUNT 1 LEASE 1500ms WORKER w");
    }

    #[tokio::test]
    async fn pending_counts_what_can_still_run() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.STATS" => Say::line("*12\r\n+ready\r\n:1\r\n+delayed\r\n:20\r\n+active\r\n:300\r\n+blocked\r\n:5\r\n+done\r\n:7\r\n+dead\r\n:9"),
            _ => Say::line("+OK"),
        })
        .await;
        let queue = Queue::over(Arc::new(SharedConnection::to(Server::at(&fake.url()).unwrap())));
        assert_eq!(queue.pending("q").await, Ok(321));
    }

    #[tokio::test]
    async fn replies_that_break_the_contract_are_told() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.EXTEND" => Say::line(":3"),
            b"JOBQ.FAIL" => Say::line("+OK"),
            b"JOBQ.STATS" => Say::line("*2\r\n+ready\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        let queue = Queue::over(Arc::new(SharedConnection::to(Server::at(&fake.url()).unwrap())));
        let job = job(b"");
        assert!(queue.extend(&job, Duration::from_secs(1)).await.unwrap_err().is("REPLY"));
        assert!(queue.fail(&job, "", false).await.unwrap_err().is("REPLY"));
        assert!(queue.pending("q").await.unwrap_err().is("REPLY"));
    }
}
