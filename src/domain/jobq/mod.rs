//! JOBQ: the job queue.
//!
//! ```text
//! delayed → ready → active → done | dead → (retention) gone
//!             ↑        │ FAIL with retries left: delayed by the backoff; lease ran out: ready, stalls+1
//! ```
//!
//! ```text
//! queue    the state: slab, lanes, ids           push     PUSH
//! line     the jobs that are ready, in order
//! job      one job                               pop      POP
//! effect   what is replicated                    finish   ACK, FAIL, RELEASE, EXTEND
//! apply    an effect made to happen              advance  what time has made due
//! persist  the binary form                       view     GET and STATS, as of now
//! backoff  when to try again                     batch    MPUSH, MACK, MEXTEND
//!                                                manage   CANCEL, REDRIVE, PURGE
//! ```

mod advance;
mod apply;
mod backoff;
mod batch;
mod effect;
mod finish;
mod job;
mod line;
mod manage;
mod persist;
mod pop;
mod push;
mod queue;
mod view;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod masses;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod saving;
#[cfg(test)]
mod world;

pub use backoff::Backoff;
pub use batch::{Each, decide_ack_many, decide_extend_many, decide_push_many};
pub use effect::Effect;
pub use finish::{Extended, Fail, Failed, decide_ack, decide_extend, decide_fail, decide_release};
pub use job::{Job, State};
pub use manage::{Cancelled, Moved, Redrive, decide_cancel, decide_purge, decide_redrive};
pub use pop::{Pop, Popped, decide_pop};
pub use push::{Due, Push, Pushed, decide_push};
use queue::automatic_id;
pub use queue::{Queue, Totals};
pub use view::{JobView, Stats, job, stats};

use crate::domain::time::{DAY, SECOND};

/// How long a popped job is leased, unless the job or the POP says otherwise.
pub const DEFAULT_LEASE: u64 = 30 * SECOND;
/// How often a failed job is tried again.
pub const DEFAULT_RETRIES: u32 = 3;
/// The most retries a job may ask for.
pub const MOST_RETRIES: u32 = 1_000_000;
/// A job whose lease runs out more often than this is dead.
pub const STALL_MAX: u32 = 3;
/// Done jobs are kept this long, and this many of them.
pub const KEEP_DONE: (u64, usize) = (DAY, 1_000_000);
/// Dead jobs are kept this long, and this many of them.
pub const KEEP_DEAD: (u64, usize) = (7 * DAY, 1_000_000);
/// A POP stops at this many bytes of payload, though never before its first job: one reply must not
/// hold the server's thread.
pub const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// The most jobs of one POP.
pub const MOST_AT_ONCE: usize = 1_000;
