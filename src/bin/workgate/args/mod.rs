//! Values of flags.

pub mod duration;
pub mod shared_rate;
pub mod worker_name;
