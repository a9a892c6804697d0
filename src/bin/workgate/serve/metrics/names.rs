//! Jobs by their name, and failures by their kind: JOBQ.STATS BY of the queues of a worker.

use redis::{Cmd, Value, cmd};

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::metrics::family::{Families, Family, Histogram, Labels};
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::QueueStats;

/// The states that a row counts.
const STATES: [&str; 4] = ["waiting", "active", "done", "dead"];

/// STATS BY name and BY kind of one queue.
struct Breakdowns {
    queue: String,
    names: Value,
    kinds: Value,
}

/// Adds them, where the server knows BY.
pub async fn add(families: &mut Families, nodes: &Nodes, queues: &[QueueStats]) -> Result<(), Fault> {
    let mut commands: Vec<Cmd> = Vec::new();
    for queue in queues {
        for by in ["name", "kind"] {
            commands.push(cmd("JOBQ.STATS").arg(&queue.key).arg("BY").arg(by).clone());
        }
    }
    let mut replies = nodes.call_all(&commands).await.into_iter();
    let mut found = Vec::new();
    for queue in queues {
        match (replies.next(), replies.next()) {
            (Some(Ok(names)), Some(Ok(kinds))) => {
                found.push(Breakdowns { queue: queue.key.escape_ascii().to_string(), names, kinds });
            }
            (Some(Err(fault @ Fault::Unreachable(_))), _) => return Err(fault),
            // An older module, or another key has taken its place meanwhile.
            _ => {}
        }
    }
    write(families, &found);
    Ok(())
}

fn write(families: &mut Families, queues: &[Breakdowns]) {
    let mut jobs = Family::gauge("workgate_queue_name_jobs", "Jobs of a queue by name and state");
    let mut wait =
        Family::histogram("workgate_job_wait_seconds", "From when a job was ready to its POP, by name");
    let mut run = Family::histogram("workgate_job_run_seconds", "From a POP to ACK or FAIL, by name");
    let mut counters = [
        ("pushed", Family::counter("workgate_queue_name_jobs_pushed", "Jobs that were added, by name")),
        ("acked", Family::counter("workgate_queue_name_jobs_done", "Jobs that were acknowledged, by name")),
        ("failed", Family::counter("workgate_queue_name_runs_failed", "Runs of jobs that failed, by name")),
        ("died", Family::counter("workgate_queue_name_jobs_died", "Jobs that became dead, by name")),
    ];
    let mut dead = Family::gauge("workgate_queue_kind_dead", "Dead jobs by the kind of their last failure");
    let mut failed = Family::counter("workgate_queue_kind_runs_failed", "Runs that failed, by kind");
    for Breakdowns { queue, names, kinds } in queues {
        let bounds = numbers(reply::field(names, "bounds_ms"));
        for row in rows(names) {
            let labels = labels(queue, row, "name");
            for state in STATES {
                let labels = labels.iter().cloned().chain([("state", state.to_owned())]).collect();
                jobs.push(labels, count(row, state));
            }
            for (field, counter) in &mut counters {
                counter.push(labels.clone(), count(row, field));
            }
            wait.push_histogram(labels.clone(), histogram(row, "wait", "wait_sum_ms", &bounds));
            run.push_histogram(labels, histogram(row, "run", "run_sum_ms", &bounds));
        }
        for row in rows(kinds) {
            let labels = labels(queue, row, "kind");
            dead.push(labels.clone(), count(row, "dead"));
            failed.push(labels, count(row, "failed"));
        }
    }
    families.0.push(jobs);
    families.0.extend(counters.into_iter().map(|(_, counter)| counter));
    families.0.extend([wait, run, dead, failed]);
}

fn rows(stats: &Value) -> &[Value] {
    reply::field(stats, "rows").and_then(reply::array).unwrap_or_default()
}

/// The rest has an empty label, as Prometheus has for what is missing.
fn labels(queue: &str, row: &Value, by: &'static str) -> Labels {
    let label = reply::field(row, by).and_then(reply::bytes).unwrap_or_default();
    vec![("queue", queue.to_owned()), (by, label.escape_ascii().to_string())]
}

fn count(row: &Value, field: &str) -> f64 {
    reply::field(row, field).and_then(reply::number).unwrap_or(0.0)
}

fn numbers(list: Option<&Value>) -> Vec<f64> {
    list.and_then(reply::array).into_iter().flatten().filter_map(reply::number).collect()
}

fn histogram(row: &Value, counts: &str, sum_ms: &str, bounds_ms: &[f64]) -> Histogram {
    let bounds = bounds_ms.iter().map(|ms| ms / 1_000.0).chain([f64::INFINITY]);
    let counts = numbers(reply::field(row, counts)).into_iter().map(|count| count as u64);
    Histogram { buckets: bounds.zip(counts).collect(), sum: count(row, sum_ms) / 1_000.0 }
}
