//! `/dead` and `/queue/KEY/dead`: dead jobs by the kind of their last failure.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use redis::{Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::dashboard::frame::{Asked, Frame, html};
use crate::serve::dashboard::job_row::{JobPage, list};
use crate::serve::dashboard::request::{Fields, encoded};
use crate::serve::dashboard::shown::{self, Moment, Name, beginning, text};

/// How many queues, and how many dead jobs of each, are looked at: the newest.
const MOST_QUEUES: usize = 20;
const MOST_JOBS: u64 = 1_000;

struct Kind {
    title: String,
    /// What selects these jobs, as a query.
    select: String,
    count: String,
    example: String,
    last: Moment,
    number: usize,
}

struct Queue {
    key: Name,
    dead: String,
    /// Only the newest jobs were looked at.
    is_partial: bool,
    kinds: Vec<Kind>,
}

#[derive(Template)]
#[template(path = "dead.html")]
struct Page {
    frame: Frame,
    queues: Vec<Queue>,
    more: usize,
    is_of_one: bool,
}

/// Of one queue, or of those that have most.
pub async fn page(asked: &Asked, key: Option<&[u8]>) -> Result<Response, Fault> {
    let mut counts: Vec<(Vec<u8>, u64)> = match key {
        Some(key) => vec![(key.to_vec(), 0)],
        None => {
            let all = asked.view.queues.all(&asked.view.nodes, None).await?;
            all.iter()
                .filter(|queue| queue.jobs[5] > 0)
                .map(|queue| (queue.key.clone(), queue.jobs[5]))
                .collect()
        }
    };
    counts.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let more = counts.len().saturating_sub(MOST_QUEUES);
    let mut queues = Vec::new();
    for (key, count) in counts.into_iter().take(MOST_QUEUES) {
        let found = JobPage::read(
            &asked.call(&list(&key, "dead", MOST_JOBS, &Fields::read("newest=1"), false)).await?,
        )?;
        let count = count.max(found.rows.len() as u64);
        let mut kinds = kinds(&found.rows, asked.now_ms);
        if found.next.is_some() {
            // Only the newest jobs were looked at; the server has counted the kinds of all.
            let stats = asked.call(cmd("JOBQ.STATS").arg(&key).arg("BY").arg("kind")).await;
            stats.iter().for_each(|stats| count_all(&mut kinds, stats));
        }
        queues.push(Queue {
            key: Name::of(&key),
            dead: shown::count(count),
            is_partial: found.next.is_some(),
            kinds,
        });
    }
    let (title, live) = match key {
        Some(key) => (format!("Dead jobs of {}", text(key)), format!("queue={}", encoded(key))),
        None => ("Dead jobs".to_owned(), "of=list".to_owned()),
    };
    let frame = asked.frame("dead", title, live);
    Ok(html(&Page { frame, queues, more, is_of_one: key.is_some() }))
}

/// Replaces the counts of kinds by those of JOBQ.STATS BY kind, and adds the kinds that were not
/// among the newest jobs. Jobs without a kind stay as they were counted.
fn count_all(kinds: &mut Vec<Kind>, stats: &Value) {
    for row in reply::field(stats, "rows").and_then(reply::array).unwrap_or_default() {
        let dead = reply::field(row, "dead").and_then(reply::number).unwrap_or(0.0) as usize;
        let Some(label) = reply::field(row, "kind").and_then(reply::bytes).filter(|_| dead > 0) else {
            continue;
        };
        let select = format!("kind={}", encoded(label));
        let at = kinds.iter().position(|kind| kind.select == select).unwrap_or_else(|| {
            kinds.push(Kind {
                title: text(label),
                select,
                count: String::new(),
                example: String::new(),
                last: Moment::default(),
                number: 0,
            });
            kinds.len() - 1
        });
        (kinds[at].number, kinds[at].count) = (dead, shown::count(dead as u64));
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.number));
}

/// By kind; those without one by the beginning of their error. Those that are most first.
fn kinds(jobs: &[Value], now_ms: u64) -> Vec<Kind> {
    let mut all: BTreeMap<String, Kind> = BTreeMap::new();
    for job in jobs {
        let bytes = |name| reply::field(job, name).and_then(reply::bytes);
        let error = bytes("error").map(text).unwrap_or_default();
        let ended = reply::field(job, "finished_at").and_then(reply::number).unwrap_or(0.0) as u64;
        let (title, select) = match bytes("kind") {
            Some(kind) => (text(kind), format!("kind={}", encoded(kind))),
            None => {
                let begin = first_words(&error);
                let glob = format!("{}*", escaped(begin));
                (
                    if begin.is_empty() { "no error".into() } else { begin.to_owned() },
                    format!("error={}", encoded(glob.as_bytes())),
                )
            }
        };
        // The newest comes first.
        let kind = all.entry(select.clone()).or_insert_with(|| Kind {
            title,
            select,
            count: String::new(),
            example: beginning(&error, 200),
            last: Moment::of(ended, now_ms),
            number: 0,
        });
        kind.number += 1;
    }
    let mut all: Vec<Kind> = all.into_values().collect();
    all.iter_mut().for_each(|kind| kind.count = shown::count(kind.number as u64));
    all.sort_by_key(|kind| std::cmp::Reverse(kind.number));
    all
}

/// The first line up to its first colon, at most 60 bytes.
fn first_words(error: &str) -> &str {
    let line = error.lines().next().unwrap_or_default();
    let words = line.split(':').next().unwrap_or_default();
    let end = (0..=words.len().min(60)).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
    &words[..end]
}

/// As a glob that matches this text alone.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| ("*?[]\\".contains(c).then_some('\\')).into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(error: &str, kind: Option<&str>, at: i64) -> Value {
        let word = |word: &str| Value::BulkString(word.into());
        Value::Map(vec![
            (word("error"), word(error)),
            (word("kind"), kind.map_or(Value::Nil, word)),
            (word("finished_at"), Value::Int(at)),
        ])
    }

    #[test]
    fn the_counts_of_all_dead_jobs_take_the_place_of_those_of_the_newest() {
        let mut kinds = kinds(&[job("429", Some("http"), 8_000), job("no", None, 1)], 10_000);
        let word = |word: &str| Value::BulkString(word.into());
        let row =
            |kind: Value, dead| Value::Map(vec![(word("kind"), kind), (word("dead"), Value::Int(dead))]);
        let rows =
            vec![row(word("disk"), 70), row(word("http"), 5_000), row(word("old"), 0), row(Value::Nil, 9)];
        count_all(&mut kinds, &Value::Map(vec![(word("rows"), Value::Array(rows))]));
        let shown: Vec<_> = kinds.iter().map(|kind| (kind.title.as_str(), kind.number)).collect();
        assert_eq!(shown, [("http", 5_000), ("disk", 70), ("no", 1)]);
        assert_eq!((kinds[0].example.as_str(), kinds[1].example.as_str()), ("429", ""));
    }

    #[test]
    fn jobs_are_grouped_by_kind_else_by_the_beginning_of_their_error() {
        let jobs = [
            job("exit 3: no route", None, 9_000),
            job("429", Some("http"), 8_000),
            job("exit 3: no name", None, 7_000),
            job("[x]* odd", None, 1),
        ];
        let kinds = kinds(&jobs, 10_000);
        assert_eq!((kinds[0].title.as_str(), kinds[0].count.as_str()), ("exit 3", "2"));
        assert_eq!(
            (kinds[0].select.as_str(), kinds[0].last.relative.as_str()),
            ("error=exit%203%2A", "1.0s ago")
        );
        assert!(kinds.iter().any(|kind| kind.select == "kind=http"));
        assert!(kinds.iter().any(|kind| kind.select == format!("error={}", encoded(br"\[x\]\* odd*"))));
    }
}
