//! Cache-aside without the stampede.
//!
//! A key holds one [`Entry`]: a value, a lease to load one, or both. On a miss one reader gets the lease
//! and its fencing token (`FILL`), the others are `BUSY`; past the TTL one reader gets it (`REFRESH`),
//! the others are served the stale value for as long as the grace lasts:
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
//! EXPIRE, or by the deletion of the key. So an entry outlives its lease, and a slow load is still stored.
//!
//! A clock that steps back makes leases stand still until it has caught up, and values last longer.

mod aside;
mod effect;
mod encoding;
mod entry;
mod expire;
mod getset;
mod invalidation;
mod kept;
mod lease;
mod lz4;
mod marks;
mod policies;
mod policy;
mod release;
mod set;
mod stats;
mod tags;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod model;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod policy_cases;
#[cfg(test)]
mod saving;
#[cfg(test)]
mod world;

pub use effect::Effect;
pub use entry::Entry;
pub use expire::decide_expire;
pub use getset::{GetSet, Reply, State, decide_getset, decide_getset_value};
pub use invalidation::{Horizon, Invalidated, Invalidations, Reach, decide_invalidate};
pub use lease::DEFAULT_LEASE;
pub use marks::Mark;
pub use policies::{MOST_POLICIES, Policies, PolicyEffect, decide_delete_policy, decide_set_policy};
pub use policy::{DEFAULT_COMPRESS, Early, Policy};
pub use release::decide_release;
pub use set::{DEFAULT_ABSENT, Set, Terms, decide_set};
pub use stats::{CLASSES, Class, Classes, Stats, UNRULED};
pub use tags::{MOST_TAGS_OF_A_KEY, Tags, decide_tagged, tagged};
