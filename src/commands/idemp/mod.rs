//! IDEMP: one effect, its response replayed.

pub(crate) mod claim;
pub(crate) mod complete;
pub(crate) mod get;
pub(crate) mod seen;
pub(crate) mod value_type;

pub use claim::IdempClaim;
pub use complete::{IdempComplete, IdempExtend, IdempRelease};
pub use get::IdempGet;
pub use seen::IdempSeen;
