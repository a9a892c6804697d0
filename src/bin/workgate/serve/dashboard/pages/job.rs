//! `/queue/KEY/job/ID`: all that is known of a job.

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::frame::{Asked, Frame, html, not_found};
use crate::serve::dashboard::job_row::JobRow;
use crate::serve::dashboard::latency::{Event, handed_out};
use crate::serve::dashboard::request::encoded;
use crate::serve::dashboard::shown::{self, Moment, Name, text};
use crate::serve::dashboard::why::why;
use crate::serve::queue_stats::QueueStats;

/// How much of a payload or a result a page shows.
const SHOWN_BYTES: usize = 64 * 1024;

struct Blob {
    title: &'static str,
    size: String,
    text: String,
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "job.html")]
struct Page {
    frame: Frame,
    key: Name,
    job: JobRow,
    why: Option<String>,
    elapsed: Option<String>,
    lease_left: Option<String>,
    facts: Vec<(&'static str, String)>,
    waits_for: Vec<Name>,
    blobs: Vec<Blob>,
    log: Vec<String>,
    events: Vec<(Moment, String, String)>,
}

pub async fn page(asked: &Asked, key: &[u8], id: &[u8]) -> Result<Response, Fault> {
    let job = asked.call(cmd("JOBQ.GET").arg(key).arg(id)).await?;
    if job == Value::Nil {
        return Ok(not_found(asked, "There is no such job: it is done and no longer kept, or it never was."));
    }
    let stats = QueueStats::read(key, &asked.call(cmd("JOBQ.STATS").arg(key)).await?);
    let mut command = cmd("JOBQ.EVENTS");
    command.arg(key).arg(stats.last_event.saturating_sub(1_000)).arg("COUNT").arg(1_000);
    let events = Event::all(&asked.call(&command).await?);
    let name = Name::of(key);
    let row = JobRow::read(&name, &job, asked.now_ms);
    let is_active = row.state == "active";
    let since = handed_out(&events, &row.raw_id).filter(|_| is_active);
    let lines = reply::field(&job, "log").and_then(reply::array).unwrap_or_default();
    let parents = reply::field(&job, "waits_for").and_then(reply::array).unwrap_or_default();
    let page = Page {
        frame: asked.frame("queues", format!("Job {}", row.id.text), format!("queue={}", encoded(key))),
        why: why(&job, &stats, asked.now_ms),
        elapsed: since.map(|since| shown::duration(asked.now_ms.saturating_sub(since))),
        lease_left: is_active.then(|| shown::duration(row.at_ms.saturating_sub(asked.now_ms))),
        facts: facts(&job, asked.now_ms),
        waits_for: parents.iter().filter_map(reply::bytes).take(100).map(Name::of).collect(),
        blobs: ["payload", "result", "progress", "meta"]
            .into_iter()
            .filter_map(|title| blob(title, reply::field(&job, title).and_then(reply::bytes)?))
            .collect(),
        log: lines.iter().filter_map(reply::bytes).map(text).collect(),
        events: of_job(&events, &row.raw_id, asked.now_ms),
        key: name,
        job: row,
    };
    Ok(html(&page))
}

fn facts(job: &Value, now_ms: u64) -> Vec<(&'static str, String)> {
    let number = |name| reply::field(job, name).and_then(reply::number).map(|number| number as u64);
    let words = |name| reply::field(job, name).and_then(reply::bytes).map(text);
    let moment = |name| {
        number(name).filter(|ms| *ms > 0).map(|ms| {
            let at = Moment::of(ms, now_ms);
            format!("{} ({})", at.relative, at.utc)
        })
    };
    let length = |name| number(name).filter(|ms| *ms > 0).map(shown::duration);
    let all = [
        ("name", words("name")),
        ("group", words("group")),
        ("priority", reply::field(job, "priority").and_then(reply::integer).map(|number| number.to_string())),
        ("pushed", moment("created_ms")),
        ("failures", number("failures").map(shown::count)),
        ("lost leases", number("stalls").map(shown::count)),
        ("retries", number("retries").map(shown::count)),
        ("backoff", words("backoff")),
        ("lease of its own", length("lease_ms")),
        ("expires", moment("expires_ms")),
        ("kept for", length("keep_ms")),
        ("unique key", words("unique")),
        ("last kind of failure", words("kind")),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn blob(title: &'static str, bytes: &[u8]) -> Option<Blob> {
    let mut shown_bytes = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let is_cut = shown_bytes.len() < bytes.len();
    // A cut character is no reason to show all with escapes.
    if let Err(error) = std::str::from_utf8(shown_bytes)
        && error.error_len().is_none()
        && is_cut
    {
        shown_bytes = &shown_bytes[..error.valid_up_to()];
    }
    let json = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .filter(|json| json.is_object() || json.is_array());
    let pretty = json.filter(|_| !is_cut).and_then(|json| serde_json::to_string_pretty(&json).ok());
    let text = pretty.unwrap_or_else(|| text(shown_bytes));
    Some(Blob { title, size: shown::bytes(bytes.len() as u64), text, is_cut })
}

fn of_job(events: &[Event], id: &[u8], now_ms: u64) -> Vec<(Moment, String, String)> {
    let mine = events.iter().rev().filter(|event| event.id.as_deref() == Some(id)).take(50);
    mine.map(|event| {
        let detail = event.detail.as_deref().map(text).unwrap_or_default();
        let is_time = ["pushed", "delayed"].contains(&event.event.as_str());
        let detail = match detail.parse::<u64>() {
            Ok(ms) if is_time => format!("due {}", shown::utc(ms)),
            _ => detail,
        };
        (Moment::of(event.at_ms, now_ms), event.event.replace('_', " "), detail)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_payload_is_cut_between_characters_and_json_is_spread() {
        let long = format!("a{}", "ä".repeat(SHOWN_BYTES));
        let blob_of = |bytes: &[u8]| blob("payload", bytes).unwrap();
        let cut = blob_of(long.as_bytes());
        assert!(cut.is_cut && cut.text.ends_with('ä'), "no escapes");
        assert_eq!(blob_of(b"{\"a\":1}").text, "{\n  \"a\": 1\n}");
        assert_eq!((blob_of(b"7").text, blob_of(b"\xff").text), ("7".into(), "\\xff".into()));
    }
}
