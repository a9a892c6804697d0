//! The traces that jobs belong to: what their META says, and spans of producer and consumer by
//! OTLP.

#[cfg(feature = "otlp")]
mod backlog;
#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
mod endpoint;
#[cfg(feature = "otlp")]
mod spans;
#[cfg(not(feature = "otlp"))]
#[path = "unbuilt.rs"]
mod spans;
pub mod traceparent;

pub use spans::{PushSpan, RunSpan, Spans};
