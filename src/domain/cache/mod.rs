//! CACHE: cache-aside without the stampede.
//!
//! An entry holds a value, a lease to fill it, or both (a stale value that is being reloaded). The
//! lease of a miss is a record under the key itself, so that deletion, expiry and waiters work on it
//! as on a value. The scheme is that of memcached's leases (Nishtala et al., "Scaling Memcache at
//! Facebook", 2013), with fencing tokens.
//!
//! ```text
//! entry    the state, its lifetime and binary form     get   GETSET and GET
//! effect   what is replicated                          set   SET
//! ```

mod effect;
mod entry;
mod get;
#[cfg(test)]
mod properties;
mod set;

pub use effect::Effect;
pub use entry::Entry;
pub use get::{Answer, DEFAULT_LEASE, GetSet, decide_getset, get};
pub use set::{Set, decide_release, decide_set};
