//! `/schedules`: the schedules of all queues, the next due first.

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::shown::{Moment, Name, text};

/// How many queues are asked for theirs.
const MOST_QUEUES: usize = 1_000;

struct Row {
    queue: Name,
    name: Name,
    cron: String,
    zone: String,
    next_ms: u64,
    next: Option<Moment>,
    last: Option<Moment>,
    last_id: Option<Name>,
    is_running: bool,
    rules: String,
}

#[derive(Template)]
#[template(path = "schedules.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    left_out: usize,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let queues = asked.view.queues.all(&asked.view.nodes, None).await?;
    let keys: Vec<&[u8]> = queues.iter().take(MOST_QUEUES).map(|queue| &queue.key[..]).collect();
    let commands: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut command = cmd("JOBQ.CRON");
            command.arg("LIST").arg(key);
            command
        })
        .collect();
    let mut rows = Vec::new();
    for (key, list) in keys.iter().zip(asked.view.nodes.call_all(&commands).await) {
        let list = match list {
            Ok(list) => list,
            Err(fault) if fault.is("WRONGTYPE") => continue,
            Err(fault) => return Err(fault),
        };
        rows.extend(reply::array(&list).unwrap_or_default().iter().map(|row| read(key, row, asked.now_ms)));
    }
    rows.sort_by_key(|row| row.next_ms);
    let left_out = queues.len().saturating_sub(MOST_QUEUES);
    Ok(html(&Page { frame: asked.frame("schedules", "Schedules", "of=list"), rows, left_out }))
}

fn read(queue: &[u8], row: &Value, now_ms: u64) -> Row {
    let bytes = |name| reply::field(row, name).and_then(reply::bytes);
    let number = |name| reply::field(row, name).and_then(reply::number).map(|number| number as u64);
    let yes = |name| reply::field(row, name).is_some_and(reply::is_true);
    let next_ms = number("next_ms");
    let mut rules = vec![format!("catch up {}", bytes("catchup").map(text).unwrap_or_else(|| "skip".into()))];
    if yes("overlap") {
        rules.push("overlap".into());
    }
    if let Some(runs) = number("runs") {
        rules.push(format!("{} of {runs} runs made", number("made").unwrap_or(0)));
    }
    Row {
        queue: Name::of(queue),
        name: Name::of(bytes("name").unwrap_or_default()),
        cron: bytes("cron").map(text).unwrap_or_default(),
        zone: bytes("tz").map(text).unwrap_or_default(),
        next_ms: next_ms.unwrap_or(u64::MAX),
        next: next_ms.map(|ms| Moment::of(ms, now_ms)),
        last: number("last_ms").map(|ms| Moment::of(ms, now_ms)),
        last_id: bytes("last_id").map(Name::of),
        is_running: yes("running"),
        rules: rules.join(", "),
    }
}
