//! The value under a key and its parts. They decide nothing.

pub(crate) mod compression;
pub(crate) mod entry;
pub(crate) mod lease;
pub(crate) mod tags;
pub(crate) mod value_meta;
