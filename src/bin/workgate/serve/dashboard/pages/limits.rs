//! `/limits`: policies of limits, and who is denied most.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::pages::queue::setting;
use crate::serve::dashboard::request::encoded;
use crate::serve::dashboard::shown::{count, text};

struct Row {
    name: String,
    path: String,
    limits: String,
    /// Allowed, denied, locked; None where the server does not count by policy.
    counts: Option<[String; 3]>,
    /// Subjects that were denied most, with how often.
    denied_most: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "limits.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    edits: String,
    edited_limits: String,
}

pub async fn page(asked: &Asked) -> Result<Response, Fault> {
    let mut policies: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    let mut stats: BTreeMap<Vec<u8>, Value> = BTreeMap::new();
    for node in asked.view.nodes.primaries().await? {
        let list = node.call(cmd("RATELIMIT.POLICY").arg("LIST")).await?;
        for (name, limits) in list.as_map_iter().into_iter().flatten() {
            policies.insert(reply::bytes(name).unwrap_or_default().to_vec(), setting(limits));
        }
        // A server of an earlier version does not know it.
        if let Ok(reply) = node.call(&cmd("RATELIMIT.STATS")).await {
            for (name, row) in reply.as_map_iter().into_iter().flatten() {
                stats.insert(reply::bytes(name).unwrap_or_default().to_vec(), row.clone());
            }
        }
    }
    // What is counted without a policy has a row of its own.
    for name in stats.keys() {
        policies.entry(name.clone()).or_default();
    }
    let edits = asked.query.bytes("edit").unwrap_or_default().to_vec();
    let edited_limits = policies.get(&edits).cloned().unwrap_or_default();
    let rows = policies.into_iter().map(|(name, limits)| row(&name, limits, stats.get(&name))).collect();
    let frame = asked.frame("limits", "Limits", "of=clock");
    Ok(html(&Page { frame, rows, edits: text(&edits), edited_limits }))
}

fn row(name: &[u8], limits: String, stats: Option<&Value>) -> Row {
    let number = |stats, name| reply::field(stats, name).and_then(reply::number).unwrap_or(0.0) as u64;
    let counts = stats.map(|stats| ["allowed", "denied", "locked"].map(|name| count(number(stats, name))));
    let subjects = stats.and_then(|stats| {
        ["subjects", "denied_most", "top"].into_iter().find_map(|name| reply::field(stats, name))
    });
    Row {
        name: text(name),
        path: encoded(name),
        limits,
        counts,
        denied_most: subjects.map(pairs).unwrap_or_default(),
    }
}

/// Names with counts: a map, or rows of both.
fn pairs(value: &Value) -> Vec<(String, String)> {
    let shown = |name: &Value, number: &Value| {
        Some((text(reply::bytes(name)?), count(reply::number(number)? as u64)))
    };
    match value {
        Value::Map(pairs) => pairs.iter().filter_map(|(name, number)| shown(name, number)).take(10).collect(),
        other => reply::array(other)
            .unwrap_or_default()
            .iter()
            .filter_map(|row| {
                let row = reply::array(row)?;
                shown(row.first()?, row.get(1)?)
            })
            .take(10)
            .collect(),
    }
}
