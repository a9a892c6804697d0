//! Why a job is not running, in words.

use redis::Value;

use super::shown::{Moment, text};
use crate::reply;
use crate::serve::queue_stats::QueueStats;

/// None for a job that runs.
pub fn why(job: &Value, queue: &QueueStats, now_ms: u64) -> Option<String> {
    let shown = |name| reply::field(job, name).and_then(reply::bytes).map(text);
    let time = |name| reply::field(job, name).and_then(reply::number).map(|ms| Moment::of(ms as u64, now_ms));
    let when =
        |moment: Option<Moment>| moment.map_or(String::new(), |at| format!(" {} ({})", at.relative, at.utc));
    let failures = reply::field(job, "failures").and_then(reply::number).unwrap_or(0.0);
    Some(match shown("state")?.as_str() {
        "active" => return None,
        "delayed" if failures > 0.0 => {
            format!("It failed and waits for its next attempt, which is due{}.", when(time("due_ms")))
        }
        "delayed" => format!("It is due{}.", when(time("due_ms"))),
        "blocked" => {
            let parents = reply::field(job, "waits_for").and_then(reply::array).unwrap_or_default();
            let names: Vec<String> = parents.iter().filter_map(reply::bytes).take(5).map(text).collect();
            let more = parents.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            match names.is_empty() {
                true => "It waits for another job or for its unique key.".into(),
                false => format!("It waits for {}{more} to be done.", names.join(", ")),
            }
        }
        "done" => format!("It is done, since{}.", when(time("finished_at"))),
        "dead" => {
            let kind = shown("kind").map(|kind| format!(" of the kind {kind}")).unwrap_or_default();
            format!(
                "It is dead since{}: its last failure was{kind} final. Redrive runs it again.",
                when(time("finished_at"))
            )
        }
        _ => match shown("blocked_by") {
            Some(reason) => ready(&reason, now_ms),
            None if queue.jobs[2] == 0 => {
                format!(
                    "It is ready: {} jobs are, and no worker holds any of this queue. Is a worker running?",
                    queue.jobs[0]
                )
            }
            None => format!(
                "It is ready and waits for its turn: {} jobs are ready, {} are being worked on.",
                queue.jobs[0], queue.jobs[2]
            ),
        },
    })
}

/// The words of `blocked_by`.
fn ready(reason: &str, now_ms: u64) -> String {
    let until = |text: &str| {
        let ms = text.trim().parse().ok()?;
        Some(format!("{} ({})", Moment::of(ms, now_ms).relative, super::shown::utc(ms)))
    };
    match reason {
        "paused" => return "Its queue is paused, until somebody resumes it.".into(),
        "group paused" => return "Its group is paused, until somebody resumes it.".into(),
        _ => {}
    }
    for (begin, words) in [
        ("paused until ", "Its queue is paused; that ends"),
        ("group paused until ", "Its group is paused; that ends"),
        ("group rate until ", "The rate of its group is used up; the next job may begin"),
        ("rate until ", "The queue's rate is used up; the next job may begin"),
    ] {
        if let Some(until) = reason.strip_prefix(begin).and_then(until) {
            return format!("{words} {until}.");
        }
    }
    if let Some(holder) = reason.strip_prefix("group held by ") {
        return format!("Its group is busy with the job {holder}.");
    }
    if let Some(number) = reason.strip_prefix("concurrency ") {
        return format!("As many jobs of the queue run as may: {number}.");
    }
    format!("It is held back: {reason}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(fields: &[(&str, Value)]) -> Value {
        Value::Map(
            fields.iter().map(|(name, value)| (Value::BulkString((*name).into()), value.clone())).collect(),
        )
    }

    fn word(word: &str) -> Value {
        Value::BulkString(word.into())
    }

    #[test]
    fn each_state_has_its_reason() {
        let idle = QueueStats { jobs: [3, 0, 0, 0, 0, 0], ..QueueStats::default() };
        let busy = QueueStats { jobs: [3, 0, 2, 0, 0, 0], ..QueueStats::default() };
        for (fields, queue, says) in [
            (vec![("state", word("ready"))], &idle, "Is a worker running?"),
            (vec![("state", word("ready"))], &busy, "3 jobs are ready, 2 are being"),
            (vec![("state", word("ready")), ("blocked_by", word("paused"))], &idle, "until somebody resumes"),
            (vec![("state", word("ready")), ("blocked_by", word("paused until 61000"))], &idle, "in 1m"),
            (
                vec![("state", word("ready")), ("blocked_by", word("group paused"))],
                &idle,
                "Its group is paused, until",
            ),
            (
                vec![("state", word("ready")), ("blocked_by", word("group paused until 61000"))],
                &idle,
                "Its group is paused; that ends in 1m",
            ),
            (
                vec![("state", word("ready")), ("blocked_by", word("group rate until 61000"))],
                &idle,
                "rate of its group is used up; the next job may begin in 1m",
            ),
            (
                vec![("state", word("ready")), ("blocked_by", word("rate until 61000"))],
                &idle,
                "rate is used up",
            ),
            (vec![("state", word("ready")), ("blocked_by", word("group held by a"))], &idle, "the job a."),
            (vec![("state", word("ready")), ("blocked_by", word("concurrency 5"))], &idle, "as may: 5"),
            (vec![("state", word("ready")), ("blocked_by", word("moon"))], &idle, "held back: moon"),
            (vec![("state", word("delayed")), ("due_ms", Value::Int(61_000))], &idle, "It is due in 1m"),
            (vec![("state", word("delayed")), ("failures", Value::Int(1))], &idle, "next attempt"),
            (
                vec![("state", word("blocked")), ("waits_for", Value::Array(vec![word("a"), word("b")]))],
                &idle,
                "waits for a, b to",
            ),
            (vec![("state", word("dead")), ("kind", word("net"))], &idle, "of the kind net"),
        ] {
            let why = why(&job(&fields), queue, 1_000).unwrap();
            assert!(why.contains(says), "{why}");
        }
        assert_eq!(why(&job(&[("state", word("active"))]), &idle, 0), None);
    }
}
