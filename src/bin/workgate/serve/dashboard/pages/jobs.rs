//! `/queue/KEY/jobs/STATE`: the jobs of a queue in one state, page by page.

use askama::Template;
use axum::response::Response;

use crate::redis::connection::Fault;
use crate::serve::dashboard::frame::{Asked, Frame, html, not_found};
use crate::serve::dashboard::job_row::{JobPage, JobRow, list};
use crate::serve::dashboard::request::encoded;
use crate::serve::dashboard::shown::{Name, text};
use crate::serve::queue_stats::STATES;

const ROWS: u64 = 50;

#[derive(Template)]
#[template(path = "jobs.html")]
struct Page {
    frame: Frame,
    key: Name,
    state: &'static str,
    states: [&'static str; 6],
    /// What the time of a row is.
    time: &'static str,
    rows: Vec<JobRow>,
    group: String,
    name: String,
    kind: String,
    error: String,
    newest: bool,
    next: Option<String>,
    is_first: bool,
    first: String,
}

pub async fn page(asked: &Asked, key: &[u8], state: &[u8]) -> Result<Response, Fault> {
    let Some(state) = STATES.into_iter().find(|name| name.as_bytes() == state) else {
        return Ok(not_found(asked, "No state of jobs is called so."));
    };
    let name = Name::of(key);
    let found = JobPage::read(&asked.call(&list(key, state, ROWS, &asked.query, true)).await?)?;
    let shown = |field| asked.query.bytes(field).map(text).unwrap_or_default();
    let query = asked.query.without(&["cursor", "done"]);
    let here = format!("/queue/{}/jobs/{state}", name.path);
    let page = Page {
        frame: asked.frame(
            "queues",
            format!("{state} jobs of {}", name.text),
            format!("queue={}", encoded(key)),
        ),
        state,
        states: STATES,
        time: match state {
            "ready" => "ready since",
            "delayed" => "due",
            "active" => "lease ends",
            "blocked" => "blocked since",
            _ => "ended",
        },
        rows: found.rows.iter().map(|row| JobRow::read(&name, row, asked.now_ms)).collect(),
        group: shown("group"),
        name: shown("name"),
        kind: shown("kind"),
        error: shown("error"),
        newest: asked.query.text("newest").is_some(),
        next: found.next.map(|cursor| format!("{here}?cursor={}&{query}", encoded(&cursor))),
        is_first: asked.query.bytes("cursor").is_none(),
        first: format!("{here}?{query}"),
        key: name,
    };
    Ok(html(&page))
}
