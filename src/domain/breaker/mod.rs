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

mod allow;
mod breaker_state;
mod config;
mod control;
mod effect;
mod encoding;
mod report;
mod view;
mod window;

#[cfg(test)]
mod model;
#[cfg(test)]
mod saving;

pub use allow::{Allowed, decide_allow};
pub use breaker_state::{Breaker, Force, State};
pub use config::Config;
pub use control::{decide_config, decide_force, decide_reset};
pub use effect::Effect;
pub use report::{MOST_CALLS, Report, Reported, decide_report};
pub use view::{View, view};
