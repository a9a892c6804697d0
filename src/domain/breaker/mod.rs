//! A circuit breaker that all instances of an application share.
//!
//! ```text
//!            enough calls failed                 open time over: the next ALLOW is a probe
//!   closed ──────────────────────▶ open ────────────────────────────────────────▶ half-open
//!     ▲                             ▲                 a probe failed                 │
//!     │                             └────────────────────────────────────────────────┤
//!     └──────────────────────────────────────────────────── all probes succeeded ────┘
//! ```
//!
//! `state/breaker.rs` tells the state as of now, and with it when open becomes half-open.
//!
//! Every permit is a token of the token clock. A closed breaker hands out its generation, the token
//! with which it closed. A half-open breaker hands out a leased token to each probe. So a late
//! report is recognised: its permit is older than the generation, or its probe was replaced.
//!
//! When the clock steps back, the first write moves all times that are later than now to now
//! ([`Effect::Rebase`]): no state lasts longer than its span from then on.

pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;
pub(crate) mod view;

pub use decide::admin::{decide_config, decide_force, decide_reset};
pub use decide::allow::decide_allow;
pub use decide::report::{CallReport, MAX_CALLS, decide_report};
pub use effect::Effect;
pub use state::breaker::{Breaker, ForcedState, State};
pub use state::config::BreakerConfig;
pub use state::instances::MAX_INSTANCE_LEN;
pub use view::view;
