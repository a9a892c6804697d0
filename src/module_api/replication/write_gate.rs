//! Whether this server may change anything outside of a client's command.
//!
//! Inside a client's command every change may be replicated at once. Outside one (timers, waiters,
//! disconnections) [`may_write`] must be asked first: a server that is a replica must not write at
//! all, and one that is paused (CLIENT PAUSE, FAILOVER, a graceful SHUTDOWN, the hand-off of a
//! slot) aborts when something replicates, so the change has to wait.

use super::write_conditions;
use crate::module_api::cluster_slots;
use crate::module_api::context::Ctx;

/// Whether a change may be made now, outside a client's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// The server is paused, or refuses the writes of its clients: try again soon.
    Later,
    /// This server is a replica or is loading: the change is not ours to make.
    Never,
}

pub fn may_write(ctx: Ctx<'_>) -> Gate {
    if !ctx.is_primary() || ctx.is_loading() || cluster_slots::is_replica(ctx) {
        Gate::Never
    } else if ctx.must_not_replicate() || write_conditions::refuse_writes() {
        Gate::Later
    } else {
        Gate::Open
    }
}
