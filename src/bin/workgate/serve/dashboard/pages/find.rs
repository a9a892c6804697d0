//! `/queue/KEY/find`: a job by its id, or jobs of a name or a group in all states.

use askama::Template;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::job_row::{JobPage, JobRow, list};
use crate::serve::dashboard::request::{Fields, encoded};
use crate::serve::dashboard::shown::{Name, text};
use crate::serve::queue_stats::STATES;

const ROWS_OF_A_STATE: u64 = 20;

#[derive(Template)]
#[template(path = "find.html")]
struct Page {
    frame: Frame,
    key: Name,
    by: &'static str,
    what: String,
    rows: Vec<JobRow>,
    more: Vec<(&'static str, String)>,
}

pub async fn page(asked: &Asked, key: &[u8]) -> Result<Response, Fault> {
    let name = Name::of(key);
    let what = asked.query.bytes("what").unwrap_or_default().to_vec();
    let by = match asked.query.text("by") {
        Some("name") => "name",
        Some("group") => "group",
        _ => "id",
    };
    let (mut rows, mut more) = (Vec::new(), Vec::new());
    if by == "id" {
        if !what.is_empty() && asked.call(cmd("JOBQ.GET").arg(key).arg(&what)).await? != Value::Nil {
            let there = format!("/queue/{}/job/{}", name.path, encoded(&what));
            let there = HeaderValue::from_str(&there).unwrap_or(HeaderValue::from_static("/"));
            return Ok((StatusCode::SEE_OTHER, [(LOCATION, there)]).into_response());
        }
    } else if !what.is_empty() {
        let query = format!("{by}={}", encoded(&what));
        let filter = Fields::read(&query);
        for state in STATES {
            let found = JobPage::read(&asked.call(&list(key, state, ROWS_OF_A_STATE, &filter, true)).await?)?;
            rows.extend(found.rows.iter().map(|row| JobRow::read(&name, row, asked.now_ms)));
            if found.next.is_some() {
                more.push((state, format!("/queue/{}/jobs/{state}?{query}", name.path)));
            }
        }
    }
    let frame = asked.frame("queues", format!("Search in {}", name.text), "");
    Ok(html(&Page { frame, key: name, by, what: text(&what), rows, more }))
}
