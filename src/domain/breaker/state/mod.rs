//! The value under a key and its parts. They decide nothing.

pub(crate) mod breaker;
pub(crate) mod call_window;
pub(crate) mod config;
pub(crate) mod instances;
