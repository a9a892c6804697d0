//! The value under a key and its parts. They refuse nothing and change nothing by themselves.

pub(crate) mod breaker;
pub(crate) mod call_window;
pub(crate) mod config;
pub(crate) mod instances;
