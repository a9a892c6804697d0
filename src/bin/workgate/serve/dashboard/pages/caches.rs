//! `/caches`: policies of caches with their hit ratios.

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::pages::queue::setting;
use crate::serve::dashboard::request::encoded;
use crate::serve::dashboard::shown::{self, text};
use crate::serve::metrics::caches::of_all_nodes;

struct Row {
    prefix: String,
    path: String,
    /// What no policy rules.
    is_rest: bool,
    fields: String,
    ratio: String,
    /// 0 to 100, for the bar.
    percent: u64,
    counts: Vec<(&'static str, String)>,
    entries: String,
    size: String,
}

#[derive(Template)]
#[template(path = "caches.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    is_editing: bool,
    edits: String,
    edited_fields: String,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let list = asked.call(cmd("CACHE.POLICY").arg("LIST")).await?;
    let policies: Vec<(Vec<u8>, String)> = list
        .as_map_iter()
        .into_iter()
        .flatten()
        .map(|(prefix, fields)| (reply::bytes(prefix).unwrap_or_default().to_vec(), words(fields)))
        .collect();
    let stats = of_all_nodes(&asked.view.nodes).await?;
    let rows = stats.iter().map(|(prefix, stats)| row(prefix, stats, &policies)).collect();
    let edit = asked.query.all().find(|(name, _)| *name == "edit").map(|(_, prefix)| prefix.to_vec());
    let edited_fields = policies.iter().find(|(prefix, _)| Some(prefix) == edit.as_ref());
    let edited_fields = edited_fields.map(|(_, fields)| fields.clone()).unwrap_or_default();
    let page = Page {
        frame: asked.frame("caches", "Caches", "of=clock"),
        rows,
        is_editing: edit.is_some(),
        edits: edit.as_deref().map(text).unwrap_or_default(),
        edited_fields,
    };
    Ok(html(&page))
}

/// `TTL 10m GRACE 1h`
fn words(fields: &Value) -> String {
    let pairs = fields.as_map_iter().into_iter().flatten();
    pairs.map(|(name, value)| format!("{} {}", setting(name), plain(value))).collect::<Vec<_>>().join(" ")
}

/// As the command takes it.
fn plain(value: &Value) -> String {
    match value {
        Value::Int(number) => number.to_string(),
        other => setting(other),
    }
}

fn row(prefix: &[u8], stats: &Value, policies: &[(Vec<u8>, String)]) -> Row {
    let number = |name| reply::field(stats, name).and_then(reply::number).unwrap_or(0.0) as u64;
    let served = number("hits") + number("stale") + number("absent");
    let reads = served + number("misses");
    let policy = policies.iter().find(|(other, _)| other == prefix);
    let counts = ["hits", "stale", "absent", "misses", "fills", "early", "waits", "fenced", "invalidated"];
    Row {
        prefix: text(prefix),
        path: encoded(prefix),
        is_rest: policy.is_none(),
        fields: policy.map(|(_, fields)| fields.clone()).unwrap_or_default(),
        ratio: match reads {
            0 => "–".into(),
            reads => format!("{:.1} %", served as f64 * 100.0 / reads as f64),
        },
        percent: (served * 100).checked_div(reads).unwrap_or(0),
        counts: counts.into_iter().map(|name| (name, shown::short_count(number(name)))).collect(),
        entries: shown::short_count(number("entries")),
        size: shown::bytes(number("bytes")),
    }
}
