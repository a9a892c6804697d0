//! What every job has.

use crate::domain::time::UnixMs;

/// Where a job is. Every job is in exactly one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Ready,
    Delayed,
    Active,
    Done,
    Dead,
    /// It waits for other jobs.
    Blocked,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Ready, State::Delayed, State::Active, State::Done, State::Dead, State::Blocked];

    /// Whether a job in this state has ended, unless an operator revives it.
    pub fn is_end(self) -> bool {
        matches!(self, State::Done | State::Dead)
    }
}

/// How the last run ended, as its worker said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastOutcome {
    /// It has not said anything yet.
    #[default]
    Open,
    Acked,
    Failed,
    Released,
}

impl LastOutcome {
    pub const ALL: [LastOutcome; 4] =
        [LastOutcome::Open, LastOutcome::Acked, LastOutcome::Failed, LastOutcome::Released];
}

/// What every job has. Times are Unix milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobHeader {
    pub state: State,
    pub last_outcome: LastOutcome,
    pub retries: u16,
    /// Lower ones are served first.
    pub priority: i32,
    /// What orders the job among those of its state: when it became ready, is due, its lease ends,
    /// it began to wait for others, or ended.
    pub at: UnixMs,
    /// Orders it in the ready queue: when it became ready. Kept while the job is active, for its
    /// return. While it waits for other jobs, the earliest time at which it may be ready.
    pub ready_at: UnixMs,
    pub created: UnixMs,
    /// Of the last POP, 0 before the first.
    pub token: u64,
}
