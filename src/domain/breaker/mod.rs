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
//! Every permit is a token of the token clock. A closed breaker hands out its generation, the token under
//! which it closed; a half-open one hands out a leased token of its own to each probe. So a report is known
//! to be late: its permit is older than the generation, or its probe's place was taken.
//!
//! A clock that steps back moves what was noted "later than now" back to now ([`Effect::Rebase`]): no state
//! lasts longer than its span from the first write that sees the step.

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
