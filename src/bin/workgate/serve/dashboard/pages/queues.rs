//! `/`: all queues, the one whose oldest job has waited longest first.

use std::cmp::Reverse;

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::chart::{columns, sparkline};
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::latency::Event;
use crate::serve::dashboard::shown::{self, Name};
use crate::serve::queue_stats::QueueStats;

const ROWS: usize = 50;
const MINUTES: usize = 60;

struct Row {
    key: Name,
    oldest: String,
    counts: Vec<(&'static str, String, bool)>,
    done_per_min: String,
    spark: String,
    pause: Option<String>,
}

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    frame: Frame,
    filter: String,
    rows: Vec<Row>,
    all: usize,
    shown: usize,
    tiles: Vec<(&'static str, String, &'static str)>,
    pages: Vec<(usize, String, bool)>,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let queues = asked.view.queues.all(&asked.view.nodes, None).await?;
    let filter = asked.query.text("find").unwrap_or_default().to_owned();
    let mut found: Vec<&QueueStats> = queues
        .iter()
        .filter(|queue| filter.is_empty() || shown::text(&queue.key).contains(&filter))
        .collect();
    found.sort_by_key(|queue| (Reverse(queue.oldest_ready_ms), Reverse(queue.jobs[0]), &queue.key));
    let page = asked.query.number("page").unwrap_or(1).clamp(1, 100_000) as usize;
    let shown = found.len();
    let part: Vec<&QueueStats> = found.into_iter().skip((page - 1) * ROWS).take(ROWS).collect();
    let rows = rows(asked, &part).await;
    let sum = |place: usize| queues.iter().map(|queue| queue.jobs[place]).sum::<u64>();
    let oldest = queues.iter().map(|queue| queue.oldest_ready_ms).max().unwrap_or(0);
    let tiles = vec![
        ("ready", shown::short_count(sum(0)), ""),
        ("active", shown::short_count(sum(2)), "/busy"),
        ("delayed", shown::short_count(sum(1)), "/schedules"),
        ("dead", shown::short_count(sum(5)), "/dead"),
        ("oldest waits", if oldest == 0 { "–".into() } else { shown::duration(oldest) }, ""),
        ("done a minute", shown::short_count(queues.iter().map(|queue| queue.done_per_min).sum()), ""),
    ];
    let query = asked.query.without(&["page", "done"]);
    let numbers = 1..=shown.div_ceil(ROWS).min(100);
    let pages = numbers.map(|number| (number, format!("/?page={number}&{query}"), number == page)).collect();
    let frame = asked.frame("queues", "Queues", "of=list");
    Ok(html(&Page { frame, filter, rows, all: queues.len(), shown, tiles, pages }))
}

async fn rows(asked: &Asked, queues: &[&QueueStats]) -> Vec<Row> {
    let commands: Vec<_> = queues
        .iter()
        .map(|queue| {
            let mut command = cmd("JOBQ.STATS");
            command.arg(&queue.key).arg("SERIES").arg(MINUTES);
            command
        })
        .collect();
    let stats = asked.view.nodes.call_all(&commands).await;
    let mut rows = Vec::new();
    for (queue, stats) in queues.iter().zip(stats) {
        let done = stats
            .ok()
            .map(|stats| columns(&series(&stats), MINUTES, asked.now_ms / 60_000 * 60_000)[2].clone());
        rows.push(Row {
            key: Name::of(&queue.key),
            oldest: match queue.oldest_ready_ms {
                0 => "–".into(),
                ms => shown::duration(ms),
            },
            counts: ["ready", "delayed", "active", "blocked", "done", "dead"]
                .into_iter()
                .zip(queue.jobs)
                .map(|(state, count)| (state, shown::short_count(count), count == 0))
                .collect(),
            done_per_min: shown::short_count(queue.done_per_min),
            spark: sparkline(&done.unwrap_or_default()),
            pause: pause(asked, queue).await,
        });
    }
    rows
}

/// The rows of SERIES: pushed, popped, done, failed, dead, expired.
pub fn series(stats: &Value) -> Vec<(u64, [u64; 6])> {
    let rows = reply::field(stats, "series").and_then(reply::array).unwrap_or_default();
    let read = |row: &Value| {
        let numbers: Vec<u64> = reply::array(row)?
            .iter()
            .map(|number| reply::number(number).map(|number| number as u64))
            .collect::<Option<_>>()?;
        Some((*numbers.first()?, numbers.get(1..7)?.try_into().ok()?))
    };
    rows.iter().filter_map(read).collect()
}

/// Since when and until when a queue is paused, as far as its events tell.
pub async fn pause(asked: &Asked, queue: &QueueStats) -> Option<String> {
    if !queue.is_paused {
        return None;
    }
    let mut command = cmd("JOBQ.EVENTS");
    command.arg(&queue.key).arg(queue.last_event.saturating_sub(1_000)).arg("COUNT").arg(1_000);
    let events = asked.call(&command).await.map(|rows| Event::all(&rows)).unwrap_or_default();
    let since = events.iter().rev().find(|event| event.event == "paused" && event.id.is_none());
    let closed = if queue.is_closed { ", closed to pushes" } else { "" };
    let since =
        since.map(|event| format!(" for {}", shown::duration(asked.now_ms.saturating_sub(event.at_ms))));
    let until = queue.paused_until_ms.filter(|until| *until > asked.now_ms);
    let until = until.map(|until| format!(", {} left", shown::duration(until - asked.now_ms)));
    Some(format!("paused{}{}{closed}", since.unwrap_or_default(), until.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_series_may_grow_at_the_end() {
        let row = |numbers: &[i64]| Value::Array(numbers.iter().map(|number| Value::Int(*number)).collect());
        let rows =
            Value::Array(vec![row(&[60, 1, 2, 3, 4, 5, 6]), row(&[120, 1, 2, 3, 4, 5, 6, 7]), row(&[1])]);
        let stats = Value::Map(vec![(Value::BulkString(b"series".to_vec()), rows)]);
        assert_eq!(series(&stats), [(60, [1, 2, 3, 4, 5, 6]), (120, [1, 2, 3, 4, 5, 6])]);
    }
}
