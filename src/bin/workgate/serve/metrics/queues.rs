//! Queues: depth by state, the oldest job, what has happened.

use crate::serve::metrics::family::{Families, Family, Labels};
use crate::serve::queue_stats::{QueueStats, STATES};

pub fn add(families: &mut Families, queues: &[QueueStats]) {
    let mut jobs = Family::gauge("workgate_queue_jobs", "Jobs in a queue by state");
    let mut oldest = Family::gauge(
        "workgate_queue_oldest_ready_seconds",
        "How long the job has waited that has been ready longest",
    );
    let mut paused = Family::gauge("workgate_queue_paused", "1 while a queue hands out no jobs, else 0");
    let totals = |stats: &QueueStats| {
        [stats.pushed, stats.acked, stats.failed, stats.retried, stats.died, stats.stalled, stats.expired]
    };
    let mut counters = [
        Family::counter("workgate_queue_jobs_pushed", "Jobs that were added"),
        Family::counter("workgate_queue_jobs_done", "Jobs that were acknowledged"),
        Family::counter("workgate_queue_runs_failed", "Runs of jobs that failed"),
        Family::counter("workgate_queue_jobs_retried", "Failed runs after which the job is tried again"),
        Family::counter("workgate_queue_jobs_died", "Jobs that became dead"),
        Family::counter("workgate_queue_leases_lost", "Leases of jobs that ran out"),
        Family::counter("workgate_queue_jobs_expired", "Jobs that were not done in time"),
    ];
    for queue in queues {
        let name = queue.key.escape_ascii().to_string();
        let labels = || -> Labels { vec![("queue", name.clone())] };
        for (state, count) in STATES.iter().zip(queue.jobs) {
            jobs.push(vec![("queue", name.clone()), ("state", (*state).to_owned())], count as f64);
        }
        oldest.push(labels(), queue.oldest_ready_ms as f64 / 1_000.0);
        paused.push(labels(), f64::from(u8::from(queue.is_paused)));
        for (counter, total) in counters.iter_mut().zip(totals(queue)) {
            counter.push(labels(), total as f64);
        }
    }
    families.0.extend([jobs, oldest, paused]);
    families.0.extend(counters);
}
