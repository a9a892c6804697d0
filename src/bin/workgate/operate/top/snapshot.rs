//! What the queues of a server hold in one moment, and what has happened a second since the last.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::redis::connection::Fault;
use crate::serve::dashboard::job_row::{JobPage, JobRow, list};
use crate::serve::dashboard::request::Fields;
use crate::serve::dashboard::shown::{Name, duration, short_count, text};
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::{QueueStats, STATES};

/// How many jobs of the chosen queue are asked for.
const MOST_BUSY: u64 = 100;

/// One queue.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub name: String,
    pub stats: QueueStats,
    /// A second, since the last snapshot; none in the first.
    pub rates: Option<Rates>,
}

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    pub pushed: f64,
    pub done: f64,
    pub failed: f64,
}

#[derive(Debug, Default)]
pub struct Snapshot {
    pub rows: Vec<Row>,
    taken: Option<Instant>,
}

impl Snapshot {
    pub fn of(queues: Vec<QueueStats>, before: Option<&Snapshot>) -> Self {
        Self::taken_at(Instant::now(), queues, before)
    }

    pub fn taken_at(now: Instant, queues: Vec<QueueStats>, before: Option<&Snapshot>) -> Self {
        let passed = before.and_then(|before| before.taken).map(|taken| now.duration_since(taken));
        let known: HashMap<&[u8], &QueueStats> = before
            .into_iter()
            .flat_map(|before| &before.rows)
            .map(|row| (row.stats.key.as_slice(), &row.stats))
            .collect();
        let rows = queues
            .into_iter()
            .map(|stats| {
                let rates = passed
                    .zip(known.get(stats.key.as_slice()))
                    .map(|(passed, earlier)| Rates::between(earlier, &stats, passed));
                Row { name: text(&stats.key).replace(['\n', '\r', '\t'], " "), stats, rates }
            })
            .collect();
        Snapshot { rows, taken: Some(now) }
    }

    pub fn json(&self) -> Json {
        let rows = self.rows.iter().map(|row| {
            let stats = &row.stats;
            let mut object = json!({
                "queue": row.name,
                "oldest_ready_ms": stats.oldest_ready_ms,
                "paused": stats.is_paused,
                "pushed": stats.pushed,
                "acked": stats.acked,
                "failed": stats.failed,
            });
            for (state, count) in STATES.iter().zip(stats.jobs) {
                object[*state] = count.into();
            }
            if let Some(rates) = row.rates {
                object["pushed_per_s"] = rates.pushed.into();
                object["done_per_s"] = rates.done.into();
                object["failed_per_s"] = rates.failed.into();
            }
            object
        });
        json!({"queues": rows.collect::<Json>()})
    }

    /// For `--once`.
    pub fn table(&self) -> String {
        let width =
            self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max("queue".len());
        let mut lines = format!("{:width$}", "queue");
        HEADS.iter().for_each(|head| lines.push_str(&format!(" {head:>9}")));
        for row in &self.rows {
            lines.push_str(&format!("\n{:width$}", row.name));
            row.cells().iter().for_each(|cell| lines.push_str(&format!(" {cell:>9}")));
        }
        lines + "\n"
    }
}

/// What stands above [`Row::cells`].
pub const HEADS: [&str; 9] =
    ["ready", "delayed", "active", "blocked", "dead", "oldest", "pushed/s", "done/s", "failed/s"];

impl Row {
    pub fn cells(&self) -> [String; 9] {
        let [ready, delayed, active, blocked, _, dead] = self.stats.jobs.map(short_count);
        let oldest = match self.stats.oldest_ready_ms {
            0 => "-".into(),
            ms => duration(ms),
        };
        let rate = |read: fn(&Rates) -> f64| {
            self.rates.as_ref().map_or("-".into(), |rates| match read(rates) {
                rate if rate < 10.0 => format!("{rate:.1}"),
                rate => short_count(rate as u64),
            })
        };
        let [pushed, done, failed] = [rate(|r| r.pushed), rate(|r| r.done), rate(|r| r.failed)];
        [ready, delayed, active, blocked, dead, oldest, pushed, done, failed]
    }
}

impl Rates {
    /// A queue that was made anew counts from 0 again.
    fn between(earlier: &QueueStats, later: &QueueStats, passed: Duration) -> Self {
        let seconds = passed.as_secs_f64().max(1e-3);
        let rate = |earlier: u64, later: u64| later.saturating_sub(earlier) as f64 / seconds;
        Rates {
            pushed: rate(earlier.pushed, later.pushed),
            done: rate(earlier.acked, later.acked),
            failed: rate(earlier.failed, later.failed),
        }
    }
}

/// Jobs of one queue that are being worked on.
pub async fn busy(nodes: &Nodes, queue: &[u8]) -> Result<Vec<JobRow>, Fault> {
    let page = nodes.call(&list(queue, "active", MOST_BUSY, &Fields::default(), false)).await?;
    let name = Name::of(queue);
    let now_ms = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    Ok(JobPage::read(&page)?.rows.iter().map(|job| JobRow::read(&name, job, now_ms)).collect())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn queue(key: &str, jobs: [u64; 6], counts: [u64; 3]) -> QueueStats {
        let [pushed, acked, failed] = counts;
        QueueStats { key: key.into(), jobs, pushed, acked, failed, ..QueueStats::default() }
    }

    #[test]
    fn rates_are_those_since_the_last_snapshot_and_a_new_queue_has_none() {
        let begun = Instant::now();
        let first = Snapshot::taken_at(begun, vec![queue("a", [0; 6], [100, 40, 9])], None);
        assert_eq!(first.rows[0].rates, None);
        let queues = vec![queue("a", [0; 6], [120, 50, 4]), queue("b", [0; 6], [7, 0, 0])];
        let next = Snapshot::taken_at(begun + Duration::from_secs(2), queues, Some(&first));
        assert_eq!(next.rows[0].rates, Some(Rates { pushed: 10.0, done: 5.0, failed: 0.0 }));
        assert_eq!(next.rows[1].rates, None);
        let json = next.json();
        assert_eq!(json["queues"][0]["pushed_per_s"], 10.0);
        assert!(json["queues"][1].get("pushed_per_s").is_none());
    }

    #[test]
    fn the_table_has_a_line_for_each_queue() {
        let snapshot = Snapshot::of(vec![queue("mails", [12_345, 0, 1, 0, 99, 2], [0; 3])], None);
        let table = snapshot.table();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], [&["queue"], &HEADS[..]].concat());
        assert_eq!(words[1], ["mails", "12.3k", "0", "1", "0", "2", "-", "-", "-", "-"]);
    }
}
