//! IDEMP: one effect, its response replayed.
//!
//! A record is claimed under a lease, then completed or released. A lease that runs out is taken
//! over by the next claim, and the fencing token of the one before is worth nothing from then on.
//!
//! ```text
//! record       the state, its lifetime and binary form    claim     CLAIM
//! effect       what is replicated                         finish    COMPLETE and RELEASE
//! fingerprint  what a key was used for                    view      GET
//! ```

mod claim;
mod effect;
mod fingerprint;
mod finish;
mod record;
mod view;

pub use claim::{Answer, Claim, DEFAULT_LEASE, DEFAULT_TTL, decide_claim};
pub use effect::Effect;
pub use fingerprint::{Content, Fingerprint};
pub use finish::{Complete, decide_complete, decide_release};
pub use record::Record;
pub use view::{State, View, view};
