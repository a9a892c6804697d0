//! The commands a worker sends, and what their replies mean.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value, cmd};

use crate::args::duration::written;
use crate::args::shared_rate::SharedRate;
use crate::handler::from_handler::Note;
use crate::handler::verdict::{Failure, Verdict};
use crate::job::Job;
use crate::job::in_flight::Hold;
use crate::redis::connection::Fault;
use crate::redis::shared_connection::SharedConnection;
use crate::reply;

/// What a renewal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The lease starts again now.
    Renewed,
    /// Still held, but somebody asked for the job to be cancelled.
    CancelRequested,
    /// Gone or taken over.
    Lost,
}

/// JOBQ commands over the shared connection. Each is one try.
#[derive(Debug, Clone)]
pub struct Commands {
    pub connection: Arc<SharedConnection>,
}

impl Commands {
    #[cfg(test)]
    pub fn at(server: crate::redis::connection::Server) -> Self {
        Commands { connection: Arc::new(SharedConnection::to(server)) }
    }

    /// JOBQ.MEXTEND for jobs of one queue.
    pub async fn extend_all(
        &self,
        queue: &[u8],
        holds: &[Arc<Hold>],
        lease: Duration,
    ) -> Result<Vec<Held>, Fault> {
        let mut command = cmd("JOBQ.MEXTEND");
        command.arg(queue).arg(holds.len());
        holds.iter().for_each(|hold| {
            command.arg(&hold.id).arg(hold.token);
        });
        command.arg("LEASE").arg(written(lease));
        let answer = self.connection.call(&command).await?;
        let read = |value: &Value| match reply::integer(value)? {
            1 => Some(Held::Renewed),
            2 => Some(Held::CancelRequested),
            0 | -1 => Some(Held::Lost),
            _ => None,
        };
        reply::array(&answer)
            .filter(|answers| answers.len() == holds.len())
            .and_then(|answers| answers.iter().map(read).collect())
            .ok_or_else(|| Fault::unexpected("JOBQ.MEXTEND", &answer))
    }

    /// What a run says before its end; whether its job is still held.
    pub async fn note(&self, hold: &Hold, note: &Note, lease: Duration) -> Result<bool, Fault> {
        let command = match note {
            Note::Progress(progress) => {
                let mut command = on(hold, "JOBQ.EXTEND");
                command.arg("LEASE").arg(written(lease)).arg("PROGRESS").arg(progress);
                command
            }
            Note::Extend(lease) => {
                let mut command = on(hold, "JOBQ.EXTEND");
                command.arg("LEASE").arg(written(*lease));
                command
            }
            Note::Log(line) => {
                let mut command = on(hold, "JOBQ.LOG");
                command.arg(line);
                command
            }
        };
        match self.connection.call(&command).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is("FENCED") || fault.is("NOJOB") => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Whether a failure of this run makes the job dead; `None` when the job is gone.
    pub async fn is_last_attempt(&self, job: &Job) -> Result<Option<bool>, Fault> {
        let answer = self.connection.call(cmd("JOBQ.GET").arg(&job.queue).arg(&job.id)).await?;
        let retries = reply::field(&answer, "retries").and_then(reply::integer);
        Ok(retries.map(|retries| job.attempt > retries))
    }

    /// How many jobs are ready, delayed or active: what `--until-empty` waits for. Blocked jobs do
    /// not count: nothing that is still to run can unblock them.
    pub async fn pending(&self, queue: &str) -> Result<i64, Fault> {
        let reply = self.connection.call(cmd("JOBQ.STATS").arg(queue)).await?;
        let count = |state| reply::field(&reply, state).and_then(reply::integer);
        ["ready", "delayed", "active"]
            .into_iter()
            .map(count)
            .sum::<Option<i64>>()
            .ok_or_else(|| Fault::unexpected("JOBQ.STATS", &reply))
    }
}

/// JOBQ.POP for up to `count` jobs in the name of `worker`, waiting up to `block`, at the limits of
/// `rate`.
pub fn pop(
    queues: &[String],
    rate: Option<&SharedRate>,
    count: usize,
    block: Option<Duration>,
    lease: Duration,
    worker: &str,
) -> Cmd {
    let mut command = cmd("JOBQ.POP");
    if let Some((first, others)) = queues.split_first() {
        command.arg(first);
        if !others.is_empty() {
            command.arg("ALSO").arg(others.len()).arg(others);
        }
    }
    if let Some(SharedRate { subject, limits }) = rate {
        command.arg("RATE").arg(subject).arg(limits.len()).arg(limits);
    }
    command.arg("COUNT").arg(count);
    if let Some(block) = block {
        command.arg("BLOCK").arg(written(block));
    }
    command.arg("LEASE").arg(written(lease)).arg("WORKER").arg(worker);
    command
}

/// JOBQ.MACK for jobs of one queue that have no result.
pub fn acknowledge_all<'a>(queue: &[u8], holds: impl ExactSizeIterator<Item = &'a Hold>) -> Cmd {
    let mut command = cmd("JOBQ.MACK");
    command.arg(queue).arg(holds.len());
    for hold in holds {
        command.arg(&hold.id).arg(hold.token);
    }
    command
}

/// The command that settles one job; none for a job that is not ours to settle.
pub fn settle(hold: &Hold, verdict: &Verdict) -> Option<Cmd> {
    Some(match verdict {
        Verdict::Done(result) => {
            let mut command = on(hold, "JOBQ.ACK");
            if !result.is_empty() {
                command.arg("RESULT").arg(result);
            }
            command
        }
        Verdict::Retry { failure, delay } => {
            let mut command = fail(hold, failure);
            if let Some(delay) = delay {
                command.arg("DELAY").arg(written(*delay));
            }
            command
        }
        Verdict::Dead(failure) => {
            let mut command = fail(hold, failure);
            command.arg("DEAD");
            command
        }
        Verdict::Release { delay, progress } => {
            let mut command = on(hold, "JOBQ.RELEASE");
            if !delay.is_zero() {
                command.arg("DELAY").arg(written(*delay));
            }
            if let Some(progress) = progress {
                command.arg("PROGRESS").arg(progress);
            }
            command
        }
        Verdict::Abandoned => return None,
    })
}

/// FAIL takes no more than this of an error's text.
const ERROR_AT_MOST: usize = 4 * 1024;

fn fail(hold: &Hold, failure: &Failure) -> Cmd {
    let mut command = on(hold, "JOBQ.FAIL");
    let mut length = failure.error.len().min(ERROR_AT_MOST);
    while !failure.error.is_char_boundary(length) {
        length -= 1;
    }
    command.arg("ERROR").arg(&failure.error[..length]);
    if let Some(kind) = &failure.kind {
        command.arg("KIND").arg(kind);
    }
    if let Some(progress) = &failure.progress {
        command.arg("PROGRESS").arg(progress);
    }
    command
}

fn on(hold: &Hold, name: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(&hold.queue).arg(&hold.id).arg(hold.token);
    command
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::job::tests::job;
    use crate::redis::test_server::{Say, TestServer};

    pub fn hold() -> Hold {
        Hold { run: 1, queue: b"q".to_vec(), id: b"j1".to_vec(), token: 7, span: None }
    }

    pub fn text(command: &Cmd) -> String {
        let args: Vec<_> = command
            .args_iter()
            .map(|arg| match arg {
                redis::Arg::Simple(bytes) => bytes.escape_ascii().to_string(),
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
            text(&pop(&all, None, 8, Some(Duration::from_secs(5)), lease, "host:1")),
            "JOBQ.POP a ALSO 2 b c COUNT 8 BLOCK 5s LEASE 1500ms WORKER host:1"
        );
        assert_eq!(
            text(&pop(&all[..1], None, 1, None, lease, "w")),
            "JOBQ.POP a COUNT 1 LEASE 1500ms WORKER w"
        );
        let rate = SharedRate { subject: "s".into(), limits: vec!["a=9/1m".into(), "@p".into()] };
        assert_eq!(
            text(&pop(&all[..1], Some(&rate), 1, None, lease, "w")),
            "JOBQ.POP a RATE s 2 a=9/1m @p COUNT 1 LEASE 1500ms WORKER w"
        );
    }

    #[test]
    fn each_verdict_has_its_command() {
        let failure =
            Failure { error: "no".into(), kind: Some("net".into()), progress: Some(b"3\0".to_vec()) };
        for (verdict, expected) in [
            (Verdict::Done(b"r\0".to_vec()), r"JOBQ.ACK q j1 7 RESULT r\x00"),
            (Verdict::Done(vec![]), "JOBQ.ACK q j1 7"),
            (Verdict::retry("exit 1"), "JOBQ.FAIL q j1 7 ERROR exit 1"),
            (
                Verdict::Retry { failure, delay: Some(Duration::from_secs(6)) },
                r"JOBQ.FAIL q j1 7 ERROR no KIND net PROGRESS 3\x00 DELAY 6s",
            ),
            (Verdict::dead("exit 65"), "JOBQ.FAIL q j1 7 ERROR exit 65 DEAD"),
            (Verdict::release(), "JOBQ.RELEASE q j1 7"),
            (
                Verdict::Release { delay: Duration::from_secs(1), progress: Some(b"p".to_vec()) },
                "JOBQ.RELEASE q j1 7 DELAY 1s PROGRESS p",
            ),
        ] {
            assert_eq!(text(&settle(&hold(), &verdict).unwrap()), expected);
        }
        assert!(settle(&hold(), &Verdict::Abandoned).is_none());
    }

    #[test]
    fn an_error_of_any_length_is_taken() {
        let command = text(&settle(&hold(), &Verdict::retry("\u{e4}".repeat(5_000))).unwrap());
        assert!(command.len() < 20_000, "each byte is escaped by four");
    }

    #[tokio::test]
    async fn pending_counts_what_can_still_run() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.STATS" => Say::line("*12\r\n+ready\r\n:1\r\n+delayed\r\n:20\r\n+active\r\n:300\r\n+blocked\r\n:5\r\n+done\r\n:7\r\n+dead\r\n:9"),
            _ => Say::line("+OK"),
        })
        .await;
        assert_eq!(Commands::at(fake.server()).pending("q").await, Ok(321));
    }

    #[tokio::test]
    async fn the_last_attempt_is_the_one_behind_all_retries() {
        let fake = TestServer::start(|_, command| match (&command[0][..], &command[2][..]) {
            (b"JOBQ.GET", b"gone") => Say::line("$-1"),
            (b"JOBQ.GET", _) => Say::line("*2\r\n+retries\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        let commands = Commands::at(fake.server());
        let mut job = job(b"");
        assert_eq!(commands.is_last_attempt(&job).await, Ok(Some(false)));
        job.attempt = 2;
        assert_eq!(commands.is_last_attempt(&job).await, Ok(Some(true)));
        job.id = b"gone".to_vec();
        assert_eq!(commands.is_last_attempt(&job).await, Ok(None));
    }

    #[tokio::test]
    async fn replies_that_break_the_contract_are_told() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"JOBQ.MEXTEND" => Say::line("*1\r\n:3"),
            b"JOBQ.STATS" => Say::line("*2\r\n+ready\r\n:1"),
            _ => Say::line("+OK"),
        })
        .await;
        let commands = Commands::at(fake.server());
        let extended = commands.extend_all(b"q", &[hold().into()], Duration::from_secs(1)).await;
        assert!(extended.unwrap_err().is("REPLY"));
        assert!(commands.pending("q").await.unwrap_err().is("REPLY"));
    }
}
