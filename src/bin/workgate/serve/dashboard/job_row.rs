//! A job as a row of JOBQ.LIST or the answer of JOBQ.GET, for people.

use redis::{Cmd, Value, cmd};

use super::request::Fields;
use super::shown::{Moment, Name, beginning, text};
use crate::redis::connection::Fault;
use crate::reply;

/// How much of a payload a row shows.
const PAYLOAD_BYTES: usize = 160;

#[derive(Debug, Clone, Default)]
pub struct JobRow {
    pub queue: Name,
    pub id: Name,
    pub state: String,
    pub name: String,
    pub group: Option<Name>,
    pub kind: String,
    pub error: String,
    pub worker: String,
    pub payload: String,
    pub attempt: u64,
    pub retries: u64,
    pub is_cancelled: bool,
    /// Of its state: ready since, due, deadline, ended.
    pub at_ms: u64,
    pub at: Moment,
    pub raw_id: Vec<u8>,
}

impl JobRow {
    pub fn read(queue: &Name, job: &Value, now_ms: u64) -> Self {
        let bytes = |name| reply::field(job, name).and_then(reply::bytes);
        let shown = |name| bytes(name).map(text).unwrap_or_default();
        let number = |name| reply::field(job, name).and_then(reply::number).unwrap_or(0.0);
        let ats = ["ready_at", "due_ms", "deadline_ms", "finished_at", "blocked_at"];
        let at_ms = ats.into_iter().map(number).fold(0.0, f64::max) as u64;
        let id = bytes("id").unwrap_or_default();
        JobRow {
            queue: queue.clone(),
            id: Name::of(id),
            state: shown("state"),
            name: shown("name"),
            group: bytes("group").map(Name::of),
            kind: shown("kind"),
            error: shown("error"),
            worker: shown("worker"),
            payload: beginning(&shown("payload"), PAYLOAD_BYTES),
            attempt: number("attempt") as u64,
            retries: number("retries") as u64,
            is_cancelled: reply::field(job, "cancel_requested").is_some_and(reply::is_true),
            at_ms,
            at: Moment::of(at_ms, now_ms),
            raw_id: id.to_vec(),
        }
    }

    pub fn short_error(&self) -> String {
        beginning(&self.error, 160)
    }

    pub fn is_promotable(&self) -> bool {
        self.state == "delayed"
    }

    pub fn is_waiting(&self) -> bool {
        ["ready", "delayed", "blocked", "active"].contains(&self.state.as_str())
    }
}

/// A page of jobs.
pub struct JobPage {
    pub rows: Vec<Value>,
    /// None on the last page.
    pub next: Option<Vec<u8>>,
}

/// JOBQ.LIST of a state, with the filters that a query names.
pub fn list(queue: &[u8], state: &str, count: u64, filter: &Fields, payload: bool) -> Cmd {
    let mut command = cmd("JOBQ.LIST");
    command.arg(queue).arg(state).arg("COUNT").arg(count);
    if let Some(cursor) = filter.bytes("cursor") {
        command.arg("CURSOR").arg(cursor);
    }
    for (word, field) in [("GROUP", "group"), ("NAME", "name"), ("KIND", "kind"), ("ERROR", "error")] {
        if let Some(value) = filter.bytes(field) {
            command.arg(word).arg(value);
        }
    }
    if filter.text("newest").is_some() {
        command.arg("NEWEST");
    }
    if payload {
        command.arg("PAYLOAD").arg(PAYLOAD_BYTES);
    }
    command
}

impl JobPage {
    pub fn read(page: &Value) -> Result<Self, Fault> {
        let read = reply::array(page)
            .and_then(|page| Some((reply::bytes(page.first()?)?, reply::array(page.get(1)?)?)));
        let (next, rows) = read.ok_or_else(|| Fault::unexpected("JOBQ.LIST", page))?;
        Ok(JobPage { rows: rows.to_vec(), next: (next != b"0").then(|| next.to_vec()) })
    }
}
