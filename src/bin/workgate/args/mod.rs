//! Values of flags.

pub mod duration;
pub mod worker_name;
