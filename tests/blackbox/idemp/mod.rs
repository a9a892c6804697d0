//! IDEMP.

mod claim;
mod extend;
mod retries;
mod seen;
