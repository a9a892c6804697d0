//! Whether the clock that timers go by was set back.

use std::time::{Duration, Instant};

use crate::module_api::main_thread::MainThread;

/// A step back below this is not told from the clock's own corrections and from a round that was
/// late.
const LEAST_STEP_BACK: Duration = Duration::from_millis(500);

/// Both clocks at the last look.
static LAST_LOOK: MainThread<Option<(Instant, u64)>> = MainThread::new(None);

/// Whether the server's clock, which says `now`, was set back since the last look. Its timers go by
/// that clock: those that were started before fire late by as much.
pub fn clock_was_set_back(now_ms: u64) -> bool {
    let look = (Instant::now(), now_ms);
    let Some((at, clock)) = LAST_LOOK.with(|last| last.replace(look)) else { return false };
    let should_be = Duration::from_millis(clock) + look.0.duration_since(at);
    Duration::from_millis(now_ms) + LEAST_STEP_BACK < should_be
}
