//! Growing pauses between attempts to reach the server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles from 100 ms to 5 s, each pause shortened by up to a half, so that the workers of a
/// restarted server do not all come back in the same instant.
#[derive(Debug, Default)]
pub struct ReconnectBackoff {
    attempts: u32,
}

impl ReconnectBackoff {
    /// The next pause.
    pub fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        whole / 2 + (whole / 2).mul_f64(f64::from(nanos % 1_000) / 1_000.0)
    }

    /// Whether no pause has been taken yet: the moment to log an outage, once.
    pub fn is_fresh(&self) -> bool {
        self.attempts == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut backoff = ReconnectBackoff::default();
        assert!(backoff.is_fresh());
        let mut whole = FIRST;
        for _ in 0..100 {
            let pause = backoff.next();
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        assert!(!backoff.is_fresh());
    }
}
