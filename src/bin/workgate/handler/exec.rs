//! `--exec`: a process for each job.

use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::handler::control::{Control, Event};
use crate::handler::exit_status::{Ended, outcome_of, reason};
use crate::handler::from_handler::{FromHandler, Meaning, Note};
use crate::handler::output_capture::{Capture, Keep};
use crate::handler::process_group::{self, Signal};
use crate::handler::unit::Unit;
use crate::handler::verdict::Verdict;
use crate::handler::{CLEAN_UP, Context, ERROR_AT_MOST, RESULT_AT_MOST};
use crate::job::Job;
use crate::job::in_flight::{Hold, Order};

/// The descriptor on which a handler may say how the job ended.
const VERDICT_FD: i32 = 3;

/// How much of what is written there is read.
const MESSAGES_AT_MOST: usize = 256 * 1024;

/// How long output is waited for once the handler itself has ended: a process it left behind may
/// hold the pipes open for ever.
const LINGER: Duration = Duration::from_millis(500);

/// What is run for every job.
#[derive(Debug)]
pub struct Exec {
    /// The shell command.
    pub command: String,
    pub context: Context,
}

impl Exec {
    /// Runs the job of a unit that has one.
    pub async fn run(&self, mut unit: Unit, control: Control) {
        let last = self.context.commands.is_last_attempt(&unit.jobs()[0]).await.unwrap_or_default();
        let payload = unit.take_payload(0);
        let verdict = match self.start(&unit.jobs()[0], unit.hold(0), payload, last) {
            Ok(run) => self.attend(run, unit.hold(0), control).await,
            Err(error) => cannot_start(&error),
        };
        unit.end(0, verdict);
    }

    /// Waits for the first of: the handler's end, the loss of the job, the timeout, the worker's
    /// stop.
    async fn attend(&self, mut run: Run, hold: &Hold, mut control: Control) -> Verdict {
        let event = tokio::select! {
            // A handler that has ended is judged by its end, whatever else came in the same moment.
            biased;
            ended = run.finished() => {
                let ended = match ended {
                    Ok(ended) => ended,
                    Err(error) => {
                        run.kill().await;
                        return Verdict::retry(format!("cannot wait for the handler: {error}"));
                    }
                };
                return self.judge(ended, run.into_output(), hold).await;
            }
            event = control.next() => event,
        };
        match event {
            Event::Killing | Event::Order(_, Order::Lost) => {
                run.kill().await;
                Verdict::Abandoned
            }
            Event::Order(_, Order::Cancel) => {
                run.kill().await;
                Verdict::retry("cancelled")
            }
            Event::TimedOut(timeout) => {
                stop(&mut run, &mut control).await;
                Verdict::retry(reason(&format!("timeout after {timeout:?}"), &run.into_output().stderr))
            }
            Event::Stopping => {
                stop(&mut run, &mut control).await;
                Verdict::release()
            }
        }
    }

    /// By its messages if one of them is an end, else by its exit status.
    async fn judge(&self, ended: Ended, output: Output, hold: &Hold) -> Verdict {
        if output.stdout_cut {
            tracing::warn!(job = %hold, "printed more than {RESULT_AT_MOST} bytes: the rest is left out of its result");
        }
        let (notes, end) = match read_messages(&output.messages) {
            Ok(read) => read,
            Err(error) => return Verdict::retry(format!("descriptor {VERDICT_FD}: {error}")),
        };
        for note in notes {
            let noted = self.context.commands.note(hold, &note, self.context.lease).await;
            if let Err(fault) = noted {
                tracing::warn!(job = %hold, "not kept: {fault}");
            }
        }
        match end {
            Some(verdict) => verdict,
            None => {
                if ended == Ended::Code(0) && !output.stderr.is_empty() {
                    tracing::debug!(job = %hold, stderr = %output.stderr.escape_ascii(), "wrote to standard error");
                }
                outcome_of(ended, output.stdout, &output.stderr)
            }
        }
    }

    /// Starts the handler with the payload on its standard input.
    fn start(&self, job: &Job, hold: &Hold, payload: Vec<u8>, last_attempt: Option<bool>) -> io::Result<Run> {
        let (messages, theirs) = io::pipe()?;
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&self.command)
            .env("WORKGATE_ID", variable(&job.id))
            .env("WORKGATE_QUEUE", variable(&job.queue))
            .env("WORKGATE_ATTEMPT", job.attempt.to_string())
            .env("WORKGATE_TOKEN", job.token.to_string())
            .env("WORKGATE_DEADLINE_MS", job.deadline_ms.to_string())
            .env("WORKGATE_REDIS", &self.context.redis)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let last_attempt = last_attempt.map(|last| if last { b"1".to_vec() } else { b"0".to_vec() });
        let trace = hold.traceparent(job.meta.as_deref()).map(String::into_bytes);
        for (name, value) in [
            // The name by which tracing libraries look for it.
            ("TRACEPARENT", &trace),
            ("WORKGATE_NAME", &job.name),
            ("WORKGATE_GROUP", &job.group),
            ("WORKGATE_META", &job.meta),
            ("WORKGATE_PROGRESS", &job.progress),
            ("WORKGATE_LAST_ATTEMPT", &last_attempt),
        ] {
            match value {
                Some(value) => command.env(name, variable(value)),
                None => command.env_remove(name),
            };
        }
        let verdict = FdMapping { parent_fd: theirs.into(), child_fd: VERDICT_FD };
        command.fd_mappings(vec![verdict]).map_err(io::Error::other)?;
        let mut child = command.spawn()?;
        // The command holds our copy of the handler's end.
        drop(command);
        let lost = || io::Error::other("the handler has no pipes");
        Ok(Run {
            group: child.id().ok_or_else(lost)?,
            payload,
            fed: 0,
            stdin: child.stdin.take(),
            stdout: Capture::of(child.stdout.take().ok_or_else(lost)?, Keep::Head(RESULT_AT_MOST)),
            stderr: Capture::of(child.stderr.take().ok_or_else(lost)?, Keep::Tail(ERROR_AT_MOST)),
            messages: Capture::of(receiver(messages)?, Keep::Head(MESSAGES_AT_MOST)),
            child,
        })
    }
}

fn receiver(messages: PipeReader) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(messages.into())
}

/// Notes in their order, and the last end.
fn read_messages(lines: &[u8]) -> Result<(Vec<Note>, Option<Verdict>), String> {
    let mut meanings = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        FromHandler::read(line)?.meanings(&mut meanings);
    }
    let (mut notes, mut end) = (Vec::new(), None);
    for (_, meaning) in meanings {
        match meaning {
            Meaning::Note(note) => notes.push(note),
            Meaning::End(verdict) => end = Some(verdict),
            Meaning::Ready(_) => {}
        }
    }
    Ok((notes, end))
}

/// Stops with time to clean up, unless the worker is killed meanwhile.
async fn stop(run: &mut Run, control: &mut Control) {
    let killed = async { while control.next().await != Event::Killing {} };
    tokio::select! {
        () = run.stop() => return,
        () = killed => {}
    }
    run.kill().await;
}

/// A handler that could not even start: too large an environment is this job's fault, all else is
/// the machine's, and costs the job no attempt.
fn cannot_start(error: &io::Error) -> Verdict {
    const PAUSE: Duration = Duration::from_secs(1);
    match error.kind() {
        io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => {
            Verdict::dead(format!("cannot start the handler: {error}"))
        }
        _ => {
            tracing::error!("cannot start the handler, giving the job back: {error}");
            Verdict::Release { delay: PAUSE, progress: None }
        }
    }
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
    messages: Capture<pipe::Receiver>,
}

/// What is left of a run.
#[derive(Debug)]
pub struct Output {
    pub stdout: Vec<u8>,
    /// The result did not fit.
    pub stdout_cut: bool,
    pub stderr: Vec<u8>,
    messages: Vec<u8>,
}

impl Run {
    /// Waits for the end of the handler and of its output. May be dropped and called again.
    pub async fn finished(&mut self) -> io::Result<Ended> {
        let status = {
            let pipes = async {
                let feeding = feed(&mut self.stdin, &self.payload, &mut self.fed);
                tokio::join!(feeding, self.stdout.fill(), self.stderr.fill(), self.messages.fill());
            };
            tokio::pin!(pipes);
            tokio::select! {
                status = self.child.wait() => {
                    if timeout(LINGER, &mut pipes).await.is_err() {
                        // Processes it left in its group still hold the pipes: its run is over, so
                        // they end.
                        process_group::signal(self.group, Signal::Kill);
                        let _ = timeout(LINGER, &mut pipes).await;
                    }
                    status?
                }
                () = &mut pipes => self.child.wait().await?,
            }
        };
        Ok(Ended::of(status))
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
        let (messages, _) = self.messages.into_kept();
        Output { stdout, stdout_cut, stderr, messages }
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

/// Bytes as an environment variable: as they are, but NUL, which no environment can hold, as
/// `\x00`.
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
    use crate::job::commands::Commands;
    use crate::job::commands::tests::hold;
    use crate::job::tests::job;
    use crate::redis::connection::Server;
    use crate::redis::tls::TlsFiles;
    use std::sync::Arc;
    use std::time::Instant;

    fn exec(command: &str) -> Exec {
        let server = Server::at("redis://127.0.0.1:1", TlsFiles::default()).unwrap();
        let context = Context {
            commands: Commands::at(server),
            in_flight: Arc::default(),
            redis: "redis://h".into(),
            worker: "w".into(),
            lease: Duration::from_secs(30),
        };
        Exec { command: command.into(), context }
    }

    fn start(command: &str, job: &Job) -> Run {
        exec(command).start(job, &hold(), job.payload.clone(), Some(true)).unwrap()
    }

    async fn run(command: &str, job: Job) -> (Ended, Output) {
        let mut run = start(command, &job);
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
        job.meta = Some(b"m".to_vec());
        let (_, output) = run(
            r#"printf %s "$WORKGATE_ID|$WORKGATE_QUEUE|$WORKGATE_ATTEMPT|$WORKGATE_TOKEN|$WORKGATE_NAME|${WORKGATE_GROUP-none}|$WORKGATE_REDIS|$WORKGATE_META|${WORKGATE_PROGRESS-none}|$WORKGATE_LAST_ATTEMPT""#,
            job,
        )
        .await;
        assert_eq!(output.stdout, b"a\\x00b\xff|q|1|7|mail|none|redis://h|m|none|1");
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
        let job = job(b"");
        let mut run = start("sleep 60 & echo $!; wait", &job);
        while run.stdout.kept().is_empty() {
            let _ = timeout(Duration::from_millis(10), run.finished()).await;
        }
        run.kill().await;
        assert_eq!(run.child.id(), None, "reaped");
        gone(String::from_utf8(run.into_output().stdout).unwrap().trim()).await;
    }

    #[tokio::test]
    async fn a_handler_that_ignores_sigterm_is_killed() {
        let job = job(b"");
        let mut run = start("trap '' TERM; echo ready; while :; do sleep 1; done", &job);
        while run.stdout.kept().is_empty() {
            let _ = timeout(Duration::from_millis(10), run.finished()).await;
        }
        let begun = Instant::now();
        run.stop().await;
        assert!(begun.elapsed() >= CLEAN_UP);
        assert_eq!(run.child.id(), None, "reaped");
    }

    #[tokio::test]
    async fn descriptor_3_takes_notes_and_an_end() {
        let (_, output) = run(
            r#"echo '{"type":"log","line":"half"}' >&3; echo '{"type":"release","delay":"6s"}' >&3; echo out"#,
            job(b""),
        )
        .await;
        let (notes, end) = read_messages(&output.messages).unwrap();
        assert_eq!(notes, [Note::Log("half".into())]);
        assert_eq!(end, Some(Verdict::Release { delay: Duration::from_secs(6), progress: None }));
        assert!(read_messages(b"not json\n").is_err());
    }

    #[test]
    fn a_job_too_large_for_an_environment_is_dead_and_other_faults_cost_nothing() {
        let mut long = job(b"");
        long.id = vec![b'x'; 3 << 20];
        let error = exec("true").start(&long, &hold(), vec![], None).unwrap_err();
        assert!(matches!(cannot_start(&error), Verdict::Dead(_)), "{error}");
        assert!(matches!(cannot_start(&io::ErrorKind::OutOfMemory.into()), Verdict::Release { .. }));
    }
}
