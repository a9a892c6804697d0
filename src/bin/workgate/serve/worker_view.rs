//! The worker beside which metrics and health are served.

use std::sync::Arc;

use crate::shutdown::Watch;
use crate::worker_metrics::WorkerMetrics;

#[derive(Debug, Clone)]
pub struct WorkerView {
    pub metrics: Arc<WorkerMetrics>,
    /// The keys that it takes jobs from, shards counted one by one.
    pub queues: Vec<String>,
    pub watch: Watch,
}
