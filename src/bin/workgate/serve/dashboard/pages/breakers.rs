//! `/breakers`: circuit breakers, those that deny calls first.

use askama::Template;
use axum::response::Response;

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::breaker_search::Breaker;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::shown::{self, text};

struct Row {
    key: String,
    state: String,
    forced: Option<String>,
    failure_pct: u64,
    slow_pct: u64,
    calls: String,
    failed: String,
    retry: Option<String>,
    order: u8,
}

#[derive(Template)]
#[template(path = "breakers.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    is_complete: bool,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let found = asked.view.breakers.look(&asked.view.nodes).await?;
    let mut rows: Vec<Row> = found.breakers.iter().map(row).collect();
    rows.sort_by(|one, other| one.order.cmp(&other.order).then(one.key.cmp(&other.key)));
    let frame = asked.frame("breakers", "Breakers", "of=clock");
    Ok(html(&Page { frame, rows, is_complete: found.is_complete }))
}

fn row(Breaker { key, facts }: &Breaker) -> Row {
    let number = |name| reply::field(facts, name).and_then(reply::number).unwrap_or(0.0) as u64;
    let word = |name| reply::field(facts, name).and_then(reply::text).unwrap_or_default().replace('_', "-");
    let state = word("state");
    Row {
        key: text(key),
        order: match state.as_str() {
            "open" => 0,
            "half-open" => 1,
            "disabled" => 2,
            _ => 3,
        },
        forced: Some(word("forced")).filter(|forced| forced != "auto" && !forced.is_empty()),
        failure_pct: number("failure_pct"),
        slow_pct: number("slow_pct"),
        calls: shown::count(number("calls")),
        failed: shown::count(number("failed")),
        retry: Some(number("retry_after_ms")).filter(|ms| *ms > 0 && state != "closed").map(shown::duration),
        state,
    }
}
