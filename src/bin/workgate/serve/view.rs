//! What all requests share.

use std::sync::Arc;

use crate::serve::access::Access;
use crate::serve::breaker_search::BreakerSearch;
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::QueueBoard;
use crate::serve::worker_view::WorkerView;

#[derive(Debug)]
pub struct View {
    pub nodes: Arc<Nodes>,
    pub access: Access,
    pub queues: QueueBoard,
    pub breakers: BreakerSearch,
    /// None under `workgate serve`.
    pub worker: Option<WorkerView>,
}

pub type SharedView = Arc<View>;
