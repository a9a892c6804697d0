//! The three algorithms that count use.

pub(crate) mod fixed_period;
pub(crate) mod limit_status;
pub(crate) mod sliding_window;
pub(crate) mod token_bucket;
