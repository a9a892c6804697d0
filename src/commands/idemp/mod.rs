//! IDEMP: idempotency.

pub(crate) mod records;
pub(crate) mod seen;
pub(crate) mod value_type;
