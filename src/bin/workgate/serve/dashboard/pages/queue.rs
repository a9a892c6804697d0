//! `/queue/KEY`: one queue, with charts of its last hour.

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use super::queues::{pause, series};
use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::chart::{Chart, Line, chart, columns};
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::latency::{Event, latency};
use crate::serve::dashboard::request::encoded;
use crate::serve::dashboard::shown::{self, Moment, Name, text};
use crate::serve::queue_stats::{QueueStats, STATES};

const MINUTES: usize = 60;
const EVENTS_SHOWN: usize = 15;

struct EventRow {
    at: Moment,
    event: String,
    id: Option<Name>,
    detail: String,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct Page {
    frame: Frame,
    key: Name,
    tiles: Vec<(&'static str, String)>,
    oldest: String,
    pause: Option<String>,
    charts: Vec<Chart>,
    events: Vec<EventRow>,
    settings: Vec<(String, String)>,
    groups: Vec<(Name, String, bool)>,
    /// Whether the server knows groups with a pause of their own.
    knows_groups: bool,
}

pub async fn page(asked: &Asked, key: &[u8]) -> Result<Response, Fault> {
    let mut command = cmd("JOBQ.STATS");
    command.arg(key).arg("SERIES").arg(MINUTES);
    let reply = asked.call(&command).await?;
    let stats = QueueStats::read(key, &reply);
    let mut command = cmd("JOBQ.EVENTS");
    command.arg(key).arg(stats.last_event.saturating_sub(1_000)).arg("COUNT").arg(1_000);
    let events = Event::all(&asked.call(&command).await?);
    let groups = asked.call(cmd("JOBQ.GROUP").arg("LIST").arg(key)).await;
    let charts = charts(&reply, &stats, &events, asked.now_ms);
    let page = Page {
        frame: asked.frame("queues", text(key), format!("queue={}", encoded(key))),
        key: Name::of(key),
        tiles: STATES.into_iter().zip(stats.jobs.map(shown::short_count)).collect(),
        oldest: shown::duration(stats.oldest_ready_ms),
        pause: pause(asked, &stats).await,
        charts,
        events: events.iter().rev().take(EVENTS_SHOWN).map(|event| event_row(event, asked.now_ms)).collect(),
        settings: settings(&asked.call(cmd("JOBQ.CONFIG").arg("GET").arg(key)).await?),
        knows_groups: groups.is_ok(),
        groups: groups.map(|groups| group_rows(&groups)).unwrap_or_default(),
    };
    Ok(html(&page))
}

fn charts(reply: &Value, stats: &QueueStats, events: &[Event], now_ms: u64) -> Vec<Chart> {
    let end = now_ms / 60_000 * 60_000;
    let [pushed, _, done, _, dead, expired] = columns(&series(reply), MINUTES, end);
    // Backwards from now: what came in the minute was not there before it, what ended was.
    let mut depth = vec![None; MINUTES];
    let mut waiting = (stats.jobs[..4].iter().sum::<u64>()) as f64;
    for minute in (0..MINUTES).rev() {
        depth[minute] = Some(waiting);
        let ended = done[minute] + dead[minute] + expired[minute];
        waiting = (waiting + ended as f64 - pushed[minute] as f64).max(0.0);
    }
    let line = |name, class, values: Vec<u64>| Line {
        name,
        class,
        values: values.into_iter().map(|value| Some(value as f64)).collect(),
    };
    let latency = latency(events, MINUTES, end);
    let number = |value: f64| shown::short_count(value as u64);
    vec![
        chart("Depth", vec![Line { name: "jobs", class: "a", values: depth }], end, true, number),
        chart(
            "Throughput a minute",
            vec![line("done", "a", done), line("pushed", "b", pushed)],
            end,
            false,
            number,
        ),
        chart(
            "Latency, medians",
            vec![
                Line { name: "wait", class: "b", values: latency.waits },
                Line { name: "run", class: "a", values: latency.runs },
            ],
            end,
            false,
            |value| shown::duration(value as u64),
        ),
    ]
}

fn event_row(event: &Event, now_ms: u64) -> EventRow {
    let detail = event.detail.as_deref().map(text).unwrap_or_default();
    // Times are told as digits.
    let is_time = ["pushed", "delayed", "paused"].contains(&event.event.as_str());
    let detail = match detail.parse::<u64>() {
        Ok(ms) if is_time => format!("due {}", Moment::of(ms, now_ms).relative),
        _ => shown::beginning(&detail, 80),
    };
    EventRow {
        at: Moment::of(event.at_ms, now_ms),
        event: event.event.replace('_', " "),
        id: event.id.as_deref().map(Name::of),
        detail,
    }
}

fn settings(map: &Value) -> Vec<(String, String)> {
    let pairs = map.as_map_iter().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((reply::text(name)?.replace('_', " "), setting(value)))).collect()
}

/// A value of any type, as an operator would write it.
pub fn setting(value: &Value) -> String {
    match value {
        Value::Int(number) => shown::count(number.unsigned_abs()),
        Value::Double(number) => number.to_string(),
        Value::Boolean(yes) => (if *yes { "yes" } else { "no" }).into(),
        Value::Array(items) => items.iter().map(setting).collect::<Vec<_>>().join(" "),
        other => reply::bytes(other).map(text).unwrap_or_else(|| "–".into()),
    }
}

/// Groups with a width or a pause of their own: `[cursor, [map …]]`.
fn group_rows(page: &Value) -> Vec<(Name, String, bool)> {
    let rows = reply::array(page).and_then(|page| reply::array(page.get(1)?)).unwrap_or_default();
    let read = |row: &Value| {
        let name = reply::field(row, "group").or(reply::field(row, "name")).and_then(reply::bytes)?;
        let paused = reply::field(row, "paused");
        let is_paused = paused.is_some_and(|paused| {
            reply::is_true(paused) || reply::text(paused).is_some_and(|word| word.starts_with("pops"))
        });
        let width = reply::field(row, "concurrency").map(setting).unwrap_or_default();
        Some((Name::of(name), width, is_paused))
    };
    rows.iter().filter_map(read).collect()
}
