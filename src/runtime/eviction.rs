//! What a full server does: it may drop what must not be dropped, and it refuses what would add.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::domain::refusal::{Code, Refusal};
use crate::domain::value::Value;
use crate::module_api::context::{Ctx, Level};
use crate::module_api::maxmemory;
use crate::module_api::maxmemory::Eviction;

/// What the last look at the settings has found: an [`Eviction`] as a number, in this order.
static EVICTION: AtomicU8 = AtomicU8::new(0);
const ALL: [Eviction; 4] = [Eviction::Unlimited, Eviction::Nothing, Eviction::Volatile, Eviction::Any];

/// What the log has warned of: an [`Eviction`] as a number.
static WARNED_OF: AtomicU8 = AtomicU8::new(0);

/// Looks at the settings: after the module was loaded and whenever one has changed.
pub fn read_settings(ctx: Ctx<'_>) {
    let eviction = maxmemory::eviction();
    EVICTION.store(eviction as u8, Ordering::Relaxed);
    let text = match eviction {
        Eviction::Unlimited | Eviction::Nothing => "",
        Eviction::Volatile => {
            "workgate: a full server may drop claims, results and marks before their time; \
             CONFIG SET maxmemory-policy noeviction keeps them"
        }
        Eviction::Any => {
            "workgate: a full server may drop claims, results and marks before their time, and queues with all of \
             their jobs; CONFIG SET maxmemory-policy noeviction keeps them"
        }
    };
    if WARNED_OF.swap(eviction as u8, Ordering::Relaxed) != eviction as u8 && !text.is_empty() {
        ctx.log(Level::Warning, text);
    }
}

fn eviction() -> Eviction {
    ALL.get(usize::from(EVICTION.load(Ordering::Relaxed))).copied().unwrap_or(Eviction::Unlimited)
}

/// Whether keys without a TTL may be dropped too, by the last look.
pub fn may_drop_queues() -> bool {
    eviction() == Eviction::Any
}

/// Whether keys of the module may be dropped, by the last look.
pub fn may_drop() -> bool {
    matches!(eviction(), Eviction::Volatile | Eviction::Any)
}

/// Whether the server is full and can drop nothing: the condition in which it refuses commands with
/// `deny-oom`.
///
/// The commands of the module are not flagged so, since most of their outcomes add nothing.
pub fn is_full(ctx: Ctx<'_>) -> bool {
    let eviction = eviction();
    if eviction == Eviction::Unlimited || !maxmemory::is_exceeded(ctx) {
        return false;
    }
    // While there is something to drop, the server is on its way back below the limit.
    match eviction {
        Eviction::Volatile => !maxmemory::has_keys(ctx, true),
        Eviction::Any => !maxmemory::has_keys(ctx, false),
        Eviction::Nothing | Eviction::Unlimited => true,
    }
}

/// Refuses an effect that would add to a server that is full. To be called before anything is
/// replied.
#[inline]
pub fn refuse_if_full<V: Value>(
    ctx: Ctx<'_>,
    state: Option<&V>,
    effect: Option<&V::Effect>,
) -> Result<(), Refusal> {
    let Some(effect) = effect.filter(|_| EVICTION.load(Ordering::Relaxed) != 0) else { return Ok(()) };
    if V::adds(state, effect) && is_full(ctx) { Err(out_of_memory()) } else { Ok(()) }
}

/// The server's own words for it.
pub fn out_of_memory() -> Refusal {
    Refusal::new(Code::OutOfMemory, "command not allowed when used memory > 'maxmemory'.")
}
