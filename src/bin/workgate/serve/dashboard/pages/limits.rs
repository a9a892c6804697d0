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
    let mut counts: BTreeMap<Vec<u8>, Counts> = BTreeMap::new();
    for node in asked.view.nodes.primaries().await? {
        let list = node.call(cmd("RATELIMIT.POLICY").arg("LIST")).await?;
        for (name, limits) in list.as_map_iter().into_iter().flatten() {
            policies.insert(reply::bytes(name).unwrap_or_default().to_vec(), setting(limits));
        }
        // All calls together have a row of their own.
        policies.entry(Vec::new()).or_insert_with(|| "all checks".to_owned());
        for name in policies.keys() {
            let mut asks = cmd("RATELIMIT.STATS");
            if !name.is_empty() {
                asks.arg(name.as_slice());
            }
            // Another primary may have a policy that this one has not.
            if let Ok(stats) = node.call(&asks).await {
                counts.entry(name.clone()).or_default().add(&stats);
            }
        }
    }
    if policies.len() == 1 && counts.values().all(|counts| counts.numbers == [0; 3]) {
        policies.clear();
    }
    let edits = asked.query.bytes("edit").unwrap_or_default().to_vec();
    let edited_limits = policies.get(&edits).cloned().unwrap_or_default();
    let rows = policies.into_iter().map(|(name, limits)| row(&name, limits, counts.get(&name))).collect();
    let frame = asked.frame("limits", "Limits", "of=clock");
    Ok(html(&Page { frame, rows, edits: text(&edits), edited_limits }))
}

/// What RATELIMIT.STATS answers, added up over the primaries.
#[derive(Default)]
struct Counts {
    /// Allowed, denied, locked.
    numbers: [u64; 3],
    subjects: BTreeMap<Vec<u8>, u64>,
}

impl Counts {
    fn add(&mut self, stats: &Value) {
        for (sum, name) in self.numbers.iter_mut().zip(["allowed", "denied", "locked"]) {
            *sum += reply::field(stats, name).and_then(reply::number).unwrap_or(0.0) as u64;
        }
        let subjects = reply::field(stats, "subjects").and_then(reply::array).unwrap_or_default();
        for row in subjects.iter().filter_map(reply::array) {
            if let [subject, denied, ..] = row
                && let (Some(subject), Some(denied)) = (reply::bytes(subject), reply::number(denied))
            {
                *self.subjects.entry(subject.to_vec()).or_default() += denied as u64;
            }
        }
    }

    /// The ten that were denied most.
    fn denied_most(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.subjects.iter().collect();
        all.sort_by_key(|(_, denied)| std::cmp::Reverse(**denied));
        all.into_iter().take(10).map(|(subject, denied)| (text(subject), count(*denied))).collect()
    }
}

fn row(name: &[u8], limits: String, counts: Option<&Counts>) -> Row {
    Row {
        name: text(name),
        path: encoded(name),
        limits,
        counts: counts.map(|counts| counts.numbers.map(count)),
        denied_most: counts.map(Counts::denied_most).unwrap_or_default(),
    }
}
