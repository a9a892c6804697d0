//! The warning that a full server may drop what must not be dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::module_api::context::{Ctx, Level};
use crate::module_api::maxmemory;
use crate::module_api::maxmemory::Eviction;

static MAY_EVICT: AtomicBool = AtomicBool::new(false);
static MAY_DROP_QUEUES: AtomicBool = AtomicBool::new(false);

/// Looks at the settings: after the module was loaded and whenever one has changed.
pub fn read_settings(ctx: Ctx<'_>) {
    let eviction = maxmemory::eviction();
    MAY_DROP_QUEUES.store(eviction == Eviction::Any, Ordering::Relaxed);
    let may = eviction != Eviction::Nothing;
    if may && !MAY_EVICT.swap(may, Ordering::Relaxed) {
        ctx.log(
            Level::Warning,
            "workgate: a full server may drop claims, results and marks before their time; \
             CONFIG SET maxmemory-policy noeviction keeps them",
        );
    }
    MAY_EVICT.store(may, Ordering::Relaxed);
}

/// Whether keys without a TTL may be dropped too, by the last look.
pub fn may_drop_queues() -> bool {
    MAY_DROP_QUEUES.load(Ordering::Relaxed)
}

/// What the last look has found.
pub fn may_drop() -> bool {
    MAY_EVICT.load(Ordering::Relaxed)
}
