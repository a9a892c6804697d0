//! Cache-aside without the stampede.
//!
//! A key holds one [`CacheEntry`]: a value, a lease to load one, or both. On a miss one reader gets
//! the lease and its fencing token (`FILL`), the others are `BUSY`; past the TTL one reader gets it
//! (`REFRESH`), the others are served the stale value for as long as the grace lasts:
//!
//! ```text
//!           GETSET: FILL          SET             TTL over         GETSET: REFRESH
//! (nothing) ───────▶ lease only ─────▶ fresh value ─────▶ stale value ─────▶ stale value + lease
//!                     │  ▲ lease ran out: the next GETSET is a FILL             │  SET: fresh value
//!                     ▼                                                          ▼  grace over: lease only
//!                 (nothing)
//! ```
//!
//! A token is good until it is superseded: by the next lease, by a SET without token, by RELEASE or
//! EXPIRE, or by the deletion of the key. So an entry outlives its lease, and a slow load is still
//! stored.
//!
//! A clock that steps back freezes leases until it has caught up, and values last longer.

pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod invalidation;
pub(crate) mod policy;
pub(crate) mod state;
pub(crate) mod stats;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;

pub use decide::getset::{GetSetReply, GetSetRequest, State, decide_getset, decide_getset_value};
pub use decide::release::decide_release;
pub use decide::set::{EffectivePolicy, SetRequest, decide_expire, decide_set};
pub use decide::tagged::{attach_tags, decide_set_with_tags};
pub use effect::Effect;
pub use invalidation::events::InvalidationEvent;
pub use invalidation::log::{Invalidation, Scope};
pub use invalidation::{Invalidations, LatestExpiry, decide_invalidate};
pub use policy::table::{CachePolicies, decide_delete_policy, decide_set_policy};
pub use policy::{CachePolicy, EarlyRefreshDraw};
pub use state::entry::CacheEntry;
pub use state::lease::DEFAULT_LEASE;
pub use state::tags::{MAX_TAGS_PER_KEY, Tags};
pub use stats::{CacheStats, MAX_STATS_CLASSES, NO_POLICY, StatsClass, StatsClasses};
