//! Idempotency: one effect, its response replayed.
//!
//! A key holds one [`Record`]. A claim hands out a lease with a fencing token; whoever holds it does the
//! work and completes the record with a result, which every later claim gets as `DONE`:
//!
//! ```text
//!            CLAIM                COMPLETE
//!  (nothing) ─────▶ held ────────────────────▶ done ── TTL ──▶ (nothing)
//!                   │  ▲ lease ran out: CLAIM takes over, attempt + 1
//!           RELEASE ▼  │ DELAY over: CLAIM, attempt + 1
//!                 released ── TTL ──▶ (nothing)
//! ```
//!
//! EXTEND renews the lease and may leave a checkpoint, which the next attempt is handed.
//!
//! Time is measured from the record's last change, so a clock that steps back makes it stand still for
//! the record until it has caught up; the change that comes next is stamped with the clock as it is.

mod claim;
mod effect;
mod encoding;
mod fingerprint;
mod finish;
mod finished;
mod json;
mod record;
mod seen;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod model;
#[cfg(test)]
mod saving;
#[cfg(test)]
mod seen_tests;
#[cfg(test)]
mod world;

pub use claim::{Claim, DEFAULT_LEASE, DEFAULT_TTL, Reply, State, claimed, decide_claim};
pub use effect::Effect;
pub use fingerprint::{Fingerprint, PAYLOAD_LIMIT};
pub use finish::{Completion, Extension, Limits, decide_complete, decide_extend, decide_release};
pub use record::Record;
pub use seen::{MOST_IDS, Secret, Seen, decide_seen};
pub use view::{Standing, View};
