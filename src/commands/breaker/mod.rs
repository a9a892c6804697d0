//! BREAKER: a circuit breaker shared by all instances.

pub(crate) mod admin;
pub(crate) mod allow_and_report;
pub(crate) mod get;
pub(crate) mod value_type;

pub use admin::{BreakerConfigGet, BreakerConfigSet, BreakerForce, BreakerReset};
pub use allow_and_report::{BreakerAllow, BreakerReport};
pub use get::BreakerGet;
