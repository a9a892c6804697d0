//! CACHE: cache-aside without the stampede.

pub(crate) mod effective_policy;
pub(crate) mod events;
pub(crate) mod expire;
pub(crate) mod get;
pub(crate) mod getset;
pub(crate) mod invalidate;
pub(crate) mod plain_string;
pub(crate) mod policy;
pub(crate) mod release;
pub(crate) mod set;
pub(crate) mod stats;
pub(crate) mod value_type;

pub use events::CacheEvents;
pub use expire::CacheExpire;
pub use get::CacheGet;
pub use getset::CacheGetSet;
pub use release::CacheRelease;
pub use set::{CacheAbsent, CacheSet};
