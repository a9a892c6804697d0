//! IDEMP: idempotency.

pub(crate) mod records;
pub(crate) mod seen;
