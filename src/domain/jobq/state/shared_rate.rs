//! What a job costs of limits that queues share, and what its last run was charged.
//!
//! The limits belong to a subject of RATELIMIT, which is another key. A POP with RATE charges it in
//! the step that hands out the job.

use crate::domain::ratelimit::{Charge, OneOrMany, TakenLimits};
use std::sync::Arc;

/// What a job costs where its push does not say.
pub const DEFAULT_COST: u64 = 1;

/// What few jobs say or were charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRate {
    /// COST of the push, 0 to 10^12.
    pub cost: u64,
    /// Of the last POP, until its run has ended.
    pub charge: Option<Arc<RateCharge>>,
}

impl Default for JobRate {
    fn default() -> Self {
        JobRate { cost: DEFAULT_COST, charge: None }
    }
}

impl JobRate {
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.charge.as_ref().map_or(0, |charge| charge.memory_bytes())
    }
}

/// What one POP has charged, shared by its jobs: the charge of each follows from its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateCharge {
    /// The key of the subject.
    pub subject: Box<[u8]>,
    pub taken: TakenLimits,
}

impl RateCharge {
    /// What a job of `cost` was charged.
    pub fn of_job(&self, cost: u64) -> OneOrMany<Charge> {
        self.taken.charges(cost)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.subject.len() + self.taken.heap_bytes()
    }
}
