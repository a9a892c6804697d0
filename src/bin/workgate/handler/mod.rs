//! One run of the handler's command: its process, fed and listened to.

pub mod exit_status;
mod output_capture;
mod process_group;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::handler::exit_status::Ended;
use crate::handler::output_capture::{Capture, Keep};
use crate::handler::process_group::Signal;
use crate::job::Job;

/// How much of a handler's standard output becomes the job's result.
pub const RESULT_AT_MOST: usize = 64 * 1024;

/// How much of the end of a handler's standard error becomes the job's error.
pub const ERROR_AT_MOST: usize = 4 * 1024;

/// How long a stopped handler may take from SIGTERM to SIGKILL.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// How long output is waited for once the handler itself has ended: a process it left behind may
/// hold the pipes open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// What is run for every job.
#[derive(Debug, Clone)]
pub struct Handler {
    /// The shell command.
    pub command: String,
    /// Handed to the handler as `WORKGATE_REDIS`.
    pub redis: String,
}

/// A handler's process. All progress is in here, so that waiting may be dropped and begun again.
#[derive(Debug)]
pub struct Run {
    child: Child,
    group: u32,
    payload: Vec<u8>,
    fed: usize,
    stdin: Option<ChildStdin>,
    stdout: Capture<ChildStdout>,
    stderr: Capture<ChildStderr>,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    /// The result did not fit.
    pub stdout_cut: bool,
    pub stderr: Vec<u8>,
}

impl Handler {
    /// Starts the handler with the job's payload on its standard input.
    pub fn start(&self, job: &mut Job) -> io::Result<Run> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&self.command)
            .env("WORKGATE_ID", variable(&job.id))
            .env("WORKGATE_QUEUE", variable(&job.queue))
            .env("WORKGATE_ATTEMPT", job.attempt.to_string())
            .env("WORKGATE_TOKEN", job.token.to_string())
            .env("WORKGATE_DEADLINE_MS", job.deadline_ms.to_string())
            .env("WORKGATE_REDIS", &self.redis)
            .env_remove("WORKGATE_NAME")
            .env_remove("WORKGATE_GROUP")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(name) = &job.name {
            command.env("WORKGATE_NAME", variable(name));
        }
        if let Some(group) = &job.group {
            command.env("WORKGATE_GROUP", variable(group));
        }
        let mut child = command.spawn()?;
        let lost = || io::Error::other("the handler has no pipes");
        Ok(Run {
            group: child.id().ok_or_else(lost)?,
            payload: std::mem::take(&mut job.payload),
            fed: 0,
            stdin: child.stdin.take(),
            stdout: Capture::of(child.stdout.take().ok_or_else(lost)?, Keep::Head(RESULT_AT_MOST)),
            stderr: Capture::of(child.stderr.take().ok_or_else(lost)?, Keep::Tail(ERROR_AT_MOST)),
            child,
        })
    }
}

impl Run {
    /// Waits for the end of the handler and of its output. May be dropped and called again.
    pub async fn finished(&mut self) -> io::Result<Ended> {
        let status = {
            let pipes = async {
                let feeding = feed(&mut self.stdin, &self.payload, &mut self.fed);
                tokio::join!(feeding, self.stdout.fill(), self.stderr.fill());
            };
            tokio::pin!(pipes);
            tokio::select! {
                status = self.child.wait() => {
                    if timeout(LINGER, &mut pipes).await.is_err() {
                        // Processes it left in its group still hold the pipes: its run is over, so they end.
                        process_group::signal(self.group, Signal::Kill);
                        let _ = timeout(LINGER, &mut pipes).await;
                    }
                    status?
                }
                () = &mut pipes => self.child.wait().await?,
            }
        };
        Ok(ended(status))
    }

    /// SIGTERM, two seconds to clean up, then SIGKILL: for a handler that must end, though nobody
    /// else works on its job.
    pub async fn stop(&mut self) {
        process_group::signal(self.group, Signal::Term);
        if timeout(CLEAN_UP, self.finished()).await.is_err() {
            self.kill().await;
        }
    }

    /// SIGKILL, and the process is reaped.
    pub async fn kill(&mut self) {
        // Only while it is not reaped does the number still name its group.
        if self.child.id().is_some() {
            process_group::signal(self.group, Signal::Kill);
            let _ = self.child.kill().await;
        }
    }

    pub fn into_output(self) -> Output {
        let (stdout, stdout_cut) = self.stdout.into_kept();
        let (stderr, _) = self.stderr.into_kept();
        Output { stdout, stdout_cut, stderr }
    }
}

/// Writes the payload and closes the pipe. A handler that does not read it all is free to do so.
async fn feed(stdin: &mut Option<ChildStdin>, payload: &[u8], fed: &mut usize) {
    if let Some(pipe) = stdin {
        while *fed < payload.len() {
            match pipe.write(&payload[*fed..]).await {
                Ok(length @ 1..) => *fed += length,
                _ => break,
            }
        }
    }
    *stdin = None;
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// Bytes as an environment variable: as they are, but NUL, which no environment can hold, as `\x00`.
fn variable(bytes: &[u8]) -> OsString {
    if !bytes.contains(&0) {
        return OsString::from_vec(bytes.to_vec());
    }
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    OsString::from_vec(parts.join(&br"\x00"[..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;
    use std::time::Instant;

    fn start(command: &str, job: &mut Job) -> Run {
        Handler { command: command.into(), redis: "redis://h".into() }.start(job).unwrap()
    }

    async fn run(command: &str, mut job: Job) -> (Ended, Output) {
        let mut run = start(command, &mut job);
        let ended = run.finished().await.unwrap();
        (ended, run.into_output())
    }

    #[tokio::test]
    async fn the_payload_arrives_byte_for_byte() {
        let payload: Vec<u8> = (0..=255u8).cycle().take(50_000).collect();
        let (ended, output) = run("cat", job(&payload)).await;
        assert_eq!(ended, Ended::Code(0));
        assert_eq!((output.stdout, output.stdout_cut), (payload, false));
    }

    #[tokio::test]
    async fn the_environment_names_the_job() {
        let mut job = job(b"");
        job.id = b"a\0b\xff".to_vec();
        job.name = Some(b"mail".to_vec());
        let (_, output) = run(
            r#"printf %s "$WORKGATE_ID|$WORKGATE_QUEUE|$WORKGATE_ATTEMPT|$WORKGATE_TOKEN|$WORKGATE_NAME|${WORKGATE_GROUP-none}|$WORKGATE_REDIS""#,
            job,
        )
        .await;
        assert_eq!(output.stdout, b"a\\x00b\xff|q|1|7|mail|none|redis://h");
    }

    #[tokio::test]
    async fn exit_status_and_signal_are_told_apart() {
        assert_eq!(run("echo no >&2; exit 75", job(b"")).await.0, Ended::Code(75));
        assert_eq!(run("kill -9 $$", job(b"")).await.0, Ended::Signal(9));
    }

    #[tokio::test]
    async fn output_is_bounded_and_a_payload_may_stay_unread() {
        let (ended, output) =
            run("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2", job(&vec![1; 1 << 20])).await;
        assert_eq!(ended, Ended::Code(0));
        assert_eq!((output.stdout.len(), output.stdout_cut), (RESULT_AT_MOST, true));
        assert_eq!(output.stderr.len(), ERROR_AT_MOST);
    }

    /// Whether a process other than a zombie has this number.
    fn lives(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
    }

    async fn gone(pid: &str) {
        let begun = Instant::now();
        while lives(pid) {
            assert!(begun.elapsed() < Duration::from_secs(5), "process {pid} lives on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn what_a_handler_leaves_behind_neither_blocks_nor_survives_it() {
        let begun = Instant::now();
        let (ended, output) = run("sleep 60 & echo $!", job(b"")).await;
        assert_eq!(ended, Ended::Code(0));
        assert!(begun.elapsed() < Duration::from_secs(10));
        gone(String::from_utf8(output.stdout).unwrap().trim()).await;
    }

    #[tokio::test]
    async fn killing_ends_the_whole_group() {
        let mut job = job(b"");
        let mut run = start("sleep 60 & echo $!; wait", &mut job);
        while run.stdout.kept().is_empty() {
            let _ = timeout(Duration::from_millis(10), run.finished()).await;
        }
        run.kill().await;
        assert_eq!(run.child.id(), None, "reaped");
        gone(String::from_utf8(run.into_output().stdout).unwrap().trim()).await;
    }

    #[tokio::test]
    async fn a_handler_that_ignores_sigterm_is_killed() {
        let mut job = job(b"");
        let mut run = start("trap '' TERM; echo ready; while :; do sleep 1; done", &mut job);
        while run.stdout.kept().is_empty() {
            let _ = timeout(Duration::from_millis(10), run.finished()).await;
        }
        let begun = Instant::now();
        run.stop().await;
        assert!(begun.elapsed() >= CLEAN_UP);
        assert_eq!(run.child.id(), None, "reaped");
    }
}
