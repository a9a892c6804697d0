//! The messages from the worker to its handlers: one JSON object a line.
//!
//! docs/worker-stdio.md is the protocol's page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::job::Job;
use crate::job::in_flight::Hold;

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
    pub fn of(hold: &Hold, job: &'a Job) -> Self {
        JobMessage {
            run: hold.run,
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
            traceparent: hold.traceparent(job.meta.as_deref()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::commands::tests::hold;
    use crate::job::tests::job;

    #[test]
    fn a_job_has_text_as_text_and_other_bytes_in_base64() {
        let mut job = job(b"\xff\0");
        job.meta = Some(b"{\"a\":1}".to_vec());
        let line = serde_json::to_string(&ToHandler::Job { job: JobMessage::of(&hold(), &job) }).unwrap();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "type": "job", "run": 1, "id": "j1", "queue": "q", "attempt": 1, "token": 7, "deadline_ms": 0,
                "payload_base64": "/wA=", "meta": "{\"a\":1}",
            })
        );
    }
}
