//! The value under a key and its parts. Nothing here decides.

pub(crate) mod holds;
pub(crate) mod leases;
pub(crate) mod lockout;
pub(crate) mod packed_bucket;
pub(crate) mod restrictions;
pub(crate) mod subject;
pub(crate) mod usage;
