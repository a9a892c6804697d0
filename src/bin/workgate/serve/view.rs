//! What all requests share.

use std::sync::Arc;

use crate::serve::access::Access;
use crate::serve::breaker_search::BreakerSearch;
use crate::serve::dashboard::action_log::ActionLog;
use crate::serve::dashboard::cross_site::CrossSite;
use crate::serve::dashboard::followers::Followers;
use crate::serve::nodes::Nodes;
use crate::serve::queue_stats::QueueBoard;
use crate::serve::worker_view::WorkerView;

#[derive(Debug)]
pub struct View {
    pub nodes: Arc<Nodes>,
    pub access: Access,
    pub queues: QueueBoard,
    pub breakers: BreakerSearch,
    /// Whether the dashboard may change anything.
    pub allows_actions: bool,
    pub action_log: ActionLog,
    pub cross_site: CrossSite,
    pub followers: Followers,
    /// None under `workgate serve`.
    pub worker: Option<WorkerView>,
}

pub type SharedView = Arc<View>;
