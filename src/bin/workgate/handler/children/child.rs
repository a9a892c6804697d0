//! One child: its process, its lines, and what it writes to standard error.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::handler::exit_status::{Ended, reason};
use crate::handler::message::{PROTOCOL, ToHandler};
use crate::handler::process_group::{self, Signal};
use crate::handler::{CLEAN_UP, Context, ERROR_AT_MOST};

/// The longest line of a handler: results of a full batch.
const LINE_AT_MOST: usize = 64 << 20;

/// The longest line of standard error that is logged whole.
const LOG_LINE_AT_MOST: u64 = 16 * 1024;

#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    group: u32,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    line: Vec<u8>,
    /// What is still to be written.
    outgoing: Vec<u8>,
    written: usize,
    /// The end of what it wrote to standard error since its last unit began.
    errors: Arc<Mutex<Vec<u8>>>,
    pub is_ready: bool,
}

/// What moved.
#[derive(Debug)]
pub enum Moved {
    Line(Vec<u8>),
    /// Its output has ended, or cannot be read.
    Ended,
}

impl Child {
    pub fn start(command: &str, context: &Context, batch: Option<u16>) -> io::Result<Self> {
        let mut process = Command::new("/bin/sh")
            .arg("-c")
            .arg(command)
            .env("WORKGATE_REDIS", &context.redis)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let lost = || io::Error::other("the handler has no pipes");
        let group = process.id().ok_or_else(lost)?;
        let errors = Arc::new(Mutex::new(Vec::new()));
        let stderr = process.stderr.take().ok_or_else(lost)?;
        tokio::spawn(log_errors(stderr, group, errors.clone()));
        let mut child = Child {
            group,
            stdin: process.stdin.take(),
            stdout: BufReader::with_capacity(64 * 1024, process.stdout.take().ok_or_else(lost)?),
            process,
            line: Vec::new(),
            outgoing: Vec::new(),
            written: 0,
            errors,
            is_ready: false,
        };
        child.send(&ToHandler::Hello {
            protocol: PROTOCOL,
            worker: &context.worker,
            batch: batch.unwrap_or(1),
        });
        Ok(child)
    }

    pub fn pid(&self) -> u32 {
        self.group
    }

    /// Puts a message behind those that are still to be written.
    pub fn send(&mut self, message: &ToHandler) {
        // Every message is made of what JSON can hold.
        if serde_json::to_writer(&mut self.outgoing, message).is_ok() {
            self.outgoing.push(b'\n');
        }
    }

    /// Writes what is to be written until a line comes. May be dropped and called again.
    pub async fn moves(&mut self) -> Moved {
        loop {
            let is_writing = self.written < self.outgoing.len();
            let Child { stdin, stdout, line, outgoing, written, .. } = self;
            let write = async {
                match stdin {
                    Some(stdin) if is_writing => stdin.write(&outgoing[*written..]).await,
                    _ => std::future::pending().await,
                }
            };
            let mut limited = stdout.take((LINE_AT_MOST - line.len()) as u64);
            tokio::select! {
                biased;
                read = limited.read_until(b'\n', line) => {
                    let is_whole = line.last() == Some(&b'\n');
                    return match read {
                        Ok(1..) if is_whole => Moved::Line(std::mem::take(line)),
                        _ => Moved::Ended,
                    };
                }
                wrote = write => match wrote {
                    Ok(length @ 1..) => {
                        *written += length;
                        if *written == outgoing.len() {
                            outgoing.clear();
                            *written = 0;
                        }
                    }
                    // It reads no more; what it has still to say is read.
                    _ => *stdin = None,
                },
            }
        }
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Forgets what it wrote to standard error for earlier jobs.
    pub fn forget_errors(&self) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How it ended, for the errors of its jobs. It is killed if it has not.
    pub async fn end_reason(&mut self) -> String {
        let ended = match timeout(CLEAN_UP, self.process.wait()).await {
            Ok(Ok(status)) => Ended::of(status).to_string(),
            _ => {
                self.kill().await;
                "output closed".into()
            }
        };
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        reason(&format!("handler ended, {ended}"), &errors)
    }

    /// SIGKILL to its group, and the process is reaped.
    pub async fn kill(&mut self) {
        // Only while it is not reaped does the number still name its group.
        if self.process.id().is_some() {
            process_group::signal(self.group, Signal::Kill);
            let _ = self.process.kill().await;
        }
    }

    /// The end of its input, time to clean up, SIGTERM, time to clean up, SIGKILL.
    pub async fn close(mut self) {
        self.stdin = None;
        {
            let Child { process, stdout, group, .. } = &mut self;
            // What it still writes is read, so that it does not wait.
            let drained = async {
                let mut rest = [0; 4096];
                while matches!(stdout.read(&mut rest).await, Ok(1..)) {}
            };
            let ended = async { tokio::join!(process.wait(), drained).0.is_ok() };
            tokio::pin!(ended);
            if timeout(CLEAN_UP, &mut ended).await.is_err() {
                process_group::signal(*group, Signal::Term);
                let _ = timeout(CLEAN_UP, ended).await;
            }
        }
        self.kill().await;
    }
}

/// Each line goes to the log; the last bytes are kept for the errors of jobs.
async fn log_errors(stderr: ChildStderr, pid: u32, errors: Arc<Mutex<Vec<u8>>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stderr).take(LOG_LINE_AT_MOST);
        if !matches!(limited.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        {
            let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.extend_from_slice(&line);
            let over = errors.len().saturating_sub(ERROR_AT_MOST);
            errors.drain(..over);
        }
        tracing::info!(handler = pid, "{}", String::from_utf8_lossy(line.trim_ascii_end()));
    }
}
