//! What a worker counts, for `/metrics`.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, String)>;

/// Upper bounds of the run times, in seconds: from a handler that does nothing to one that takes an
/// hour.
const RUN_BOUNDS: [f64; 12] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

/// Counted since the worker started.
#[derive(Debug)]
pub struct WorkerMetrics {
    pub registry: Registry,
    ends: Family<Labels, Counter>,
    run_times: Family<Labels, Histogram, fn() -> Histogram>,
    pub in_flight: Gauge,
    pub slots: Gauge,
    pub lost_leases: Counter,
    pub handler_restarts: Counter,
    pub lost_spans: Counter,
}

impl Default for WorkerMetrics {
    fn default() -> Self {
        let of_bounds: fn() -> Histogram = || Histogram::new(RUN_BOUNDS);
        let mut metrics = WorkerMetrics {
            registry: Registry::default(),
            ends: Family::default(),
            run_times: Family::new_with_constructor(of_bounds),
            in_flight: Gauge::default(),
            slots: Gauge::default(),
            lost_leases: Counter::default(),
            handler_restarts: Counter::default(),
            lost_spans: Counter::default(),
        };
        metrics.register();
        metrics
    }
}

impl WorkerMetrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let name = |name: &str| format!("workgate_worker_{name}");
        registry.register(name("jobs"), "Runs of jobs that have ended, by outcome", self.ends.clone());
        registry.register(
            name("job_duration_seconds"),
            "How long handlers ran for a job",
            self.run_times.clone(),
        );
        registry.register(name("jobs_in_flight"), "Jobs that this worker holds", self.in_flight.clone());
        registry.register(name("slots"), "How many jobs this worker may hold", self.slots.clone());
        registry.register(
            name("lost_leases"),
            "Jobs that were reported lost while their handler ran",
            self.lost_leases.clone(),
        );
        registry.register(
            name("handler_restarts"),
            "Children that were started in the place of one that had ended",
            self.handler_restarts.clone(),
        );
        registry.register(
            name("lost_spans"),
            "Spans that the collector of --otlp did not get: it failed, or too many waited for it",
            self.lost_spans.clone(),
        );
    }

    /// Runs have ended and their jobs are settled, or are not this worker's any more.
    pub fn count_ends(&self, queue: &[u8], outcome: &'static str, took: impl IntoIterator<Item = Duration>) {
        let queue = queue.escape_ascii().to_string();
        // Looked up once for all.
        let times = self.run_times.get_or_create_owned(&vec![("queue", queue.clone())]);
        let ends = self.ends.get_or_create_owned(&vec![("outcome", outcome.into()), ("queue", queue)]);
        for took in took {
            times.observe(took.as_secs_f64());
            ends.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_counted_by_queue_and_outcome() {
        let metrics = WorkerMetrics::default();
        let took = Duration::from_millis(20);
        metrics.count_ends(b"q", "done", [took, took]);
        metrics.count_ends(b"q", "dead", [took]);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry).unwrap();
        for line in [
            r#"workgate_worker_jobs_total{outcome="done",queue="q"} 2"#,
            r#"workgate_worker_jobs_total{outcome="dead",queue="q"} 1"#,
            r#"workgate_worker_job_duration_seconds_bucket{le="0.01",queue="q"} 0"#,
            r#"workgate_worker_job_duration_seconds_bucket{le="0.05",queue="q"} 3"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }
}
