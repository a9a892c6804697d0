//! Idempotency: one effect, its response replayed.
//!
//! A key holds one [`Record`]. A claim hands out a lease with a fencing token. The holder does the
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
//! Time is measured from the last change of the record. A clock that steps back stops the time of
//! the record until it has caught up; the next change is stamped with the time of the clock.

pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod encoding;
pub(crate) mod seen_ids;
pub(crate) mod state;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;
pub(crate) mod view;

pub use decide::claim::{
    ClaimReply, ClaimRequest, DEFAULT_LEASE, DEFAULT_TTL, State, claim_effect, decide_claim,
};
pub use decide::complete::{
    Completion, Extension, ResultLimits, decide_complete, decide_extend, decide_release,
};
pub use effect::Effect;
pub use seen_ids::{MAX_IDS_PER_CALL, Secret, SeenIds, decide_seen};
pub use state::fingerprint::Fingerprint;
pub use state::record::Record;
pub use view::RecordState;
