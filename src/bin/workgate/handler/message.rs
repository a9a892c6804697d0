//! The messages between the worker and its handlers: one JSON object a line.
//!
//! docs/worker-stdio.md is the protocol's page. `--exec` handlers write the same messages to file
//! descriptor 3, without `run`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize};

use crate::args::duration;
use crate::handler::traceparent;
use crate::handler::verdict::{Failure, Verdict};
use crate::job::Job;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// From the worker.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToHandler<'a> {
    /// The first line.
    Hello { protocol: u32, worker: &'a str, batch: u16 },
    /// Without `--batch`.
    Job {
        #[serde(flatten)]
        job: JobMessage<'a>,
    },
    /// With `--batch`.
    Jobs { jobs: Vec<JobMessage<'a>> },
    /// This run is to end; its result does not count when it is `lost`.
    Cancel { run: u64, reason: &'static str },
    /// The answer to a progress or an extend: whether the job is still held.
    Saved { run: u64, held: bool },
}

/// A job as a handler gets it. Bytes that are no text have `_base64` behind their name.
#[derive(Debug, Serialize)]
pub struct JobMessage<'a> {
    run: u64,
    #[serde(flatten, serialize_with = "id")]
    id: &'a [u8],
    #[serde(flatten, serialize_with = "queue")]
    queue: &'a [u8],
    attempt: i64,
    token: i64,
    deadline_ms: i64,
    #[serde(flatten, serialize_with = "payload")]
    payload: &'a [u8],
    #[serde(flatten, serialize_with = "name", skip_serializing_if = "Option::is_none")]
    name: Option<&'a [u8]>,
    #[serde(flatten, serialize_with = "group", skip_serializing_if = "Option::is_none")]
    group: Option<&'a [u8]>,
    #[serde(flatten, serialize_with = "meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a [u8]>,
    #[serde(flatten, serialize_with = "progress", skip_serializing_if = "Option::is_none")]
    progress: Option<&'a [u8]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
}

impl<'a> JobMessage<'a> {
    pub fn of(run: u64, job: &'a Job) -> Self {
        JobMessage {
            run,
            id: &job.id,
            queue: &job.queue,
            attempt: job.attempt,
            token: job.token,
            deadline_ms: job.deadline_ms,
            payload: &job.payload,
            name: job.name.as_deref(),
            group: job.group.as_deref(),
            meta: job.meta.as_deref(),
            progress: job.progress.as_deref(),
            traceparent: traceparent::of(job.meta.as_deref()),
        }
    }
}

/// One member of an object: `name` with text, or `name_base64`.
macro_rules! members {
    ($($name:ident: $type:ty),*) => { $(
        fn $name<S: serde::Serializer>(bytes: &$type, serializer: S) -> Result<S::Ok, S::Error> {
            member(concat!(stringify!($name)), concat!(stringify!($name), "_base64"), bytes.as_bytes(), serializer)
        }
    )* };
}

members!(id: &[u8], queue: &[u8], payload: &[u8], name: Option<&[u8]>, group: Option<&[u8]>,
    meta: Option<&[u8]>, progress: Option<&[u8]>);

trait AsBytes {
    fn as_bytes(&self) -> &[u8];
}

impl AsBytes for &[u8] {
    fn as_bytes(&self) -> &[u8] {
        self
    }
}

impl AsBytes for Option<&[u8]> {
    fn as_bytes(&self) -> &[u8] {
        self.unwrap_or_default()
    }
}

fn member<S: serde::Serializer>(
    text_name: &'static str,
    base64_name: &'static str,
    bytes: &[u8],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(1))?;
    match std::str::from_utf8(bytes) {
        Ok(text) => map.serialize_entry(text_name, text)?,
        Err(_) => map.serialize_entry(base64_name, &BASE64.encode(bytes))?,
    }
    map.end()
}

/// From a handler.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum FromHandler {
    /// The first line.
    Ready { protocol: u32 },
    /// Several ends in one line.
    Results { results: Vec<FromHandler> },
    Done {
        #[serde(default)]
        run: Option<u64>,
        /// Several runs that have no result.
        #[serde(default)]
        runs: Vec<u64>,
        #[serde(default)]
        result: Option<String>,
        #[serde(default)]
        result_base64: Option<Bytes>,
    },
    Retry {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        error: String,
        #[serde(default)]
        kind: Option<String>,
        #[serde(default)]
        delay: Option<Delay>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Dead {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        error: String,
        #[serde(default)]
        kind: Option<String>,
    },
    Release {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        delay: Option<Delay>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Progress {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Extend {
        #[serde(default)]
        run: Option<u64>,
        lease: Delay,
    },
    Log {
        #[serde(default)]
        run: Option<u64>,
        line: String,
    },
}

/// What a message asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    Ready(u32),
    End(Verdict),
    Note(Note),
}

/// What a run says before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Progress(Vec<u8>),
    Extend(Duration),
    Log(String),
}

impl FromHandler {
    /// An error names what is wrong with the line.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Each run that the message is about, with what it says of it.
    pub fn meanings(self, out: &mut Vec<(Option<u64>, Meaning)>) {
        let bytes = |text: Option<String>, base64: Option<Bytes>| {
            text.map(String::into_bytes).or(base64.map(|bytes| bytes.0))
        };
        match self {
            FromHandler::Ready { protocol } => out.push((None, Meaning::Ready(protocol))),
            FromHandler::Results { results } => results.into_iter().for_each(|result| result.meanings(out)),
            FromHandler::Done { run, runs, result, result_base64 } => {
                if run.is_some() || runs.is_empty() {
                    let result = bytes(result, result_base64).unwrap_or_default();
                    out.push((run, Meaning::End(Verdict::Done(result))));
                }
                out.extend(runs.into_iter().map(|run| (Some(run), Meaning::End(Verdict::Done(Vec::new())))));
            }
            FromHandler::Retry { run, error, kind, delay, progress, progress_base64 } => {
                let failure = Failure { error, kind, progress: bytes(progress, progress_base64) };
                let delay = delay.map(|delay| delay.0);
                out.push((run, Meaning::End(Verdict::Retry { failure, delay })));
            }
            FromHandler::Dead { run, error, kind } => {
                out.push((run, Meaning::End(Verdict::Dead(Failure { error, kind, progress: None }))));
            }
            FromHandler::Release { run, delay, progress, progress_base64 } => {
                let delay = delay.map(|delay| delay.0).unwrap_or_default();
                let progress = bytes(progress, progress_base64);
                out.push((run, Meaning::End(Verdict::Release { delay, progress })));
            }
            FromHandler::Progress { run, progress, progress_base64 } => {
                let progress = bytes(progress, progress_base64).unwrap_or_default();
                out.push((run, Meaning::Note(Note::Progress(progress))));
            }
            FromHandler::Extend { run, lease } => out.push((run, Meaning::Note(Note::Extend(lease.0)))),
            FromHandler::Log { run, line } => out.push((run, Meaning::Note(Note::Log(line)))),
        }
    }
}

/// A duration with its unit, as in `"30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay(pub Duration);

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::read_or_zero(&text).map(Delay).map_err(serde::de::Error::custom)
    }
}

/// Bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;

    fn meanings(line: &str) -> Vec<(Option<u64>, Meaning)> {
        let mut out = Vec::new();
        FromHandler::read(line.as_bytes()).unwrap().meanings(&mut out);
        out
    }

    #[test]
    fn a_job_has_text_as_text_and_other_bytes_in_base64() {
        let mut job = job(b"\xff\0");
        job.meta = Some(b"{\"a\":1}".to_vec());
        let line = serde_json::to_string(&ToHandler::Job { job: JobMessage::of(5, &job) }).unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "type": "job", "run": 5, "id": "j1", "queue": "q", "attempt": 1, "token": 7, "deadline_ms": 0,
                "payload_base64": "/wA=", "meta": "{\"a\":1}",
            })
        );
    }

    #[test]
    fn every_end_has_its_message() {
        let end = |verdict| vec![(Some(1), Meaning::End(verdict))];
        assert_eq!(meanings(r#"{"type":"done","run":1,"result":"ok"}"#), end(Verdict::Done(b"ok".to_vec())));
        assert_eq!(
            meanings(r#"{"type":"done","run":1,"result_base64":"/w=="}"#),
            end(Verdict::Done(vec![0xff]))
        );
        let failure = Failure { error: "no".into(), kind: Some("net".into()), progress: Some(b"3".to_vec()) };
        assert_eq!(
            meanings(r#"{"type":"retry","run":1,"error":"no","kind":"net","delay":"6s","progress":"3"}"#),
            end(Verdict::Retry { failure, delay: Some(Duration::from_secs(6)) })
        );
        assert_eq!(meanings(r#"{"type":"dead","run":1,"error":"bad"}"#), end(Verdict::dead("bad")));
        let release = Verdict::Release { delay: Duration::from_millis(1_500), progress: None };
        assert_eq!(meanings(r#"{"type":"release","run":1,"delay":"1500ms"}"#), end(release));
    }

    #[test]
    fn one_line_may_end_many_runs() {
        let done = |run| (Some(run), Meaning::End(Verdict::Done(vec![])));
        assert_eq!(meanings(r#"{"type":"done","runs":[1,2]}"#), [done(1), done(2)]);
        let read =
            meanings(r#"{"type":"results","results":[{"type":"done","run":1},{"type":"dead","run":2}]}"#);
        assert_eq!(read, [done(1), (Some(2), Meaning::End(Verdict::dead("")))]);
    }

    #[test]
    fn a_wrong_message_is_told_what_is_wrong() {
        for (line, says) in [
            ("done", "expected"),
            (r#"{"type":"finished","run":1}"#, "finished"),
            (r#"{"type":"done","run":1,"reslut":"x"}"#, "reslut"),
            (r#"{"type":"retry","run":1,"delay":"30"}"#, "write 30s or 30ms"),
            (r#"{"type":"done","run":1,"result_base64":"?"}"#, "nvalid"),
        ] {
            let error = FromHandler::read(line.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
