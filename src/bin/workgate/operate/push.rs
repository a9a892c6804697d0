//! `workgate push`: a job for each line of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use redis::{Cmd, cmd};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::open;
use crate::Failure;
use crate::args::duration::written;
use crate::cli::operate::PushArgs;
use crate::redis::connection::Fault;
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::redis::shared_connection::SharedConnection;
use crate::reply;
use crate::traces::{PushSpan, Spans};

/// How many jobs, and how many bytes, go in one write.
const MOST_OF_ONE_WRITE: usize = 500;
const BYTES_OF_ONE_WRITE: usize = 1 << 20;

/// How long jobs with ids are sent again to a server that is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many rejected lines are told one by one.
const MOST_TOLD: u64 = 20;

pub async fn main(args: PushArgs) -> Result<ExitCode, Failure> {
    let input = input(&args.file)?;
    let rejected = args.rejected.as_deref().map(created).transpose()?;
    let spans = Spans::open(args.otlp.as_deref(), Default::default())?;
    let server = open(&args.server).await?;
    let bar = bar(&args.file);
    let counts = Counts::default();
    let mut push = Push { args: &args, server, spans, waiting: Vec::new(), rejected, counts, bar };
    let outcome = push.all(input).await;
    push.bar.finish_and_clear();
    if let Some(spans) = &push.spans {
        spans.close().await;
    }
    let Counts { lines, pushed, known, rejected } = push.counts;
    if args.json {
        println!("{}", json!({"lines": lines, "pushed": pushed, "known": known, "rejected": rejected}));
    } else {
        println!("{lines} lines: {pushed} pushed, {known} known before, {rejected} rejected");
    }
    outcome?;
    Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn input(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let open = File::open(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(Box::new(BufReader::new(open)))
}

fn created(file: &Path) -> Result<File, Failure> {
    File::create(file).map_err(|error| Failure::usage(format!("--rejected {}: {error}", file.display())))
}

/// By bytes where the file has a length. It is shown on a terminal only.
fn bar(file: &Path) -> ProgressBar {
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_file() => {
            let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta} {msg}");
            ProgressBar::new(metadata.len())
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }
        _ => ProgressBar::new_spinner(),
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    lines: u64,
    pushed: u64,
    known: u64,
    rejected: u64,
}

/// One line that is to be sent.
struct Line {
    number: u64,
    text: Vec<u8>,
    command: Cmd,
}

struct Push<'a> {
    args: &'a PushArgs,
    server: SharedConnection,
    spans: Option<Spans>,
    waiting: Vec<Line>,
    rejected: Option<File>,
    counts: Counts,
    bar: ProgressBar,
}

impl Push<'_> {
    async fn all(&mut self, mut input: Box<dyn BufRead>) -> Result<(), Failure> {
        let mut bytes = 0;
        loop {
            let mut text = Vec::new();
            let length =
                input.read_until(b'\n', &mut text).map_err(|error| Failure::of(error.to_string()))?;
            if length == 0 {
                return self.send().await;
            }
            self.bar.inc(length as u64);
            let payload = text.trim_ascii();
            if payload.is_empty() {
                continue;
            }
            self.counts.lines += 1;
            let number = self.counts.lines;
            match self.command(payload) {
                Ok(command) => {
                    bytes += text.len();
                    self.waiting.push(Line { number, text, command });
                }
                Err(reason) => self.reject(number, &text, &reason)?,
            }
            if self.waiting.len() == MOST_OF_ONE_WRITE || bytes >= BYTES_OF_ONE_WRITE {
                self.send().await?;
                bytes = 0;
            }
        }
    }

    /// An error is why the line is rejected.
    fn command(&self, payload: &[u8]) -> Result<Cmd, String> {
        let json: Json = serde_json::from_slice(payload).map_err(|error| format!("no JSON: {error}"))?;
        let mut command = cmd("JOBQ.PUSH");
        command.arg(&self.args.queue).arg(payload);
        for (word, field) in [("ID", &self.args.id_field), ("GROUP", &self.args.group_field)] {
            if let Some(field) = field {
                command.arg(word).arg(member(&json, field)?);
            }
        }
        if let Some(name) = &self.args.name {
            command.arg("NAME").arg(name);
        }
        if let Some(priority) = self.args.priority {
            command.arg("PRIORITY").arg(priority);
        }
        if let Some(retries) = self.args.retries {
            command.arg("RETRIES").arg(retries);
        }
        if let Some(delay) = self.args.delay.filter(|delay| !delay.is_zero()) {
            command.arg("DELAY").arg(written(delay));
        }
        Ok(command)
    }

    /// Sends what waits, as one span.
    async fn send(&mut self) -> Result<(), Failure> {
        let rejected = self.counts.rejected;
        let span = self.begin();
        let sent = self.deliver().await;
        if let Some(span) = span {
            span.end(sent.as_ref().map(|()| self.counts.rejected - rejected));
        }
        sent
    }

    /// The span of what waits, which META of each job names.
    fn begin(&mut self) -> Option<PushSpan> {
        let spans = self.spans.as_ref().filter(|_| !self.waiting.is_empty());
        let span = spans.map(|spans| spans.push(&self.args.queue, self.waiting.len()));
        let traceparent = span.as_ref().map(PushSpan::traceparent);
        for line in &mut self.waiting {
            line.command.arg(traceparent.map(|traceparent| ("META", traceparent)));
        }
        span
    }

    /// Sends what waits, until each line has an answer.
    async fn deliver(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut backoff = ReconnectBackoff::default();
        loop {
            let lines = std::mem::take(&mut self.waiting);
            if lines.is_empty() {
                return Ok(());
            }
            let commands: Vec<Cmd> = lines.iter().map(|line| line.command.clone()).collect();
            let answers = self.server.call_all(&commands).await;
            let mut away = None;
            for (line, answer) in lines.into_iter().zip(answers) {
                match answer {
                    Ok(answer) => match reply::array(&answer).and_then(|row| reply::text(row.get(1)?)) {
                        Some("DUP") => self.counts.known += 1,
                        _ => self.counts.pushed += 1,
                    },
                    Err(Fault::Unreachable(text)) => {
                        away = Some(text);
                        self.waiting.push(line);
                    }
                    Err(refused) => self.reject(line.number, &line.text, &refused.to_string())?,
                }
            }
            let Some(away) = away else { return Ok(()) };
            let first = self.waiting[0].number;
            if self.args.id_field.is_none() {
                return Err(Failure::of(format!(
                    "line {first} and the next may or may not have been pushed, the rest was not: {away}. With --id-field \
                     they are sent again"
                )));
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::of(format!("line {first} and the next were not pushed: {away}")));
            }
            sleep(backoff.next()).await;
        }
    }

    fn reject(&mut self, number: u64, text: &[u8], reason: &str) -> Result<(), Failure> {
        self.counts.rejected += 1;
        match self.counts.rejected {
            1..=MOST_TOLD => self.bar.suspend(|| eprintln!("line {number} is rejected: {reason}")),
            count if count == MOST_TOLD + 1 => {
                self.bar.suspend(|| eprintln!("further ones are only counted"))
            }
            _ => {}
        }
        if let Some(file) = &mut self.rejected {
            let line = [text.trim_ascii_end(), b"\n"].concat();
            file.write_all(&line).map_err(|error| Failure::of(format!("--rejected: {error}")))?;
        }
        Ok(())
    }
}

/// A member that is text or a whole number.
fn member(json: &Json, field: &str) -> Result<String, String> {
    match json.get(field) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(Json::Number(number)) if !number.is_f64() => Ok(number.to_string()),
        Some(other) => Err(format!("'{field}' is {other}, expected text or a whole number")),
        None => Err(format!("'{field}' is missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_text_or_a_whole_number() {
        let line = json!({"id": "a", "n": 7, "f": 0.5, "nil": null});
        assert_eq!((member(&line, "id"), member(&line, "n")), (Ok("a".into()), Ok("7".into())));
        for field in ["f", "nil", "none"] {
            assert!(member(&line, field).unwrap_err().contains(field));
        }
        assert!(member(&json!([1]), "id").is_err());
    }
}
