//! The value under a key and its parts. They decide nothing.

pub(crate) mod canonical_json;
pub(crate) mod completed;
pub(crate) mod fingerprint;
pub(crate) mod record;
