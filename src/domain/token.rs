//! Fencing tokens from a hybrid logical clock.
//!
//! A token is an integer below 2^53 (so every client language can hold it) that strictly rises:
//! the milliseconds since [`EPOCH_MS`], shifted left by twelve, or one more than the last one,
//! whichever is larger. The scheme is that of hybrid logical clocks (Kulkarni et al., 2014).
//!
//! Asynchronous replication can lose the newest effects, and with them the tokens they held. So a
//! server that has been promoted, or has just loaded its data, skips [`SKIP_MS`] worth of tokens:
//! a token is issued twice only if the lost primary had issued more than 245 million tokens that
//! were never replicated, or its clock ran ahead of ours by more than a minute.

/// 2026-01-01T00:00:00Z. With twelve bits below, tokens stay under 2^53 for 69 years.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

const SHIFT: u32 = 12;

/// How much is skipped after a promotion or a load: a minute's worth of tokens.
pub const SKIP_MS: u64 = 60_000;

/// Tokens are below this bound: 2^53.
pub const BOUND: u64 = 1 << 53;

/// A decoded token may be ahead of the clock by this much (a day); beyond it the value is refused,
/// so that one crafted RESTORE cannot exhaust the clock.
const AHEAD_MS: u64 = 24 * 60 * 60 * 1000;

fn at(now_ms: u64) -> u64 {
    (now_ms.saturating_sub(EPOCH_MS) << SHIFT).min(BOUND - 1)
}

/// The highest token this server has issued or seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenClock {
    last: u64,
    /// Tokens up to this one are left out because a lost primary may have issued them. Not part of
    /// the replicated state: each server has its own.
    skipped: u64,
}

impl TokenClock {
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that has seen tokens up to `last` and leaves none out.
    pub fn after(last: u64) -> Self {
        TokenClock { last, skipped: 0 }
    }

    /// The next token at `now_ms`, above all that this server has seen. Issues nothing: the token
    /// counts as issued when the effect that carries it is applied (see [`TokenClock::saw`]).
    pub fn next(&self, now_ms: u64) -> u64 {
        (self.last.max(self.skipped) + 1).max(at(now_ms))
    }

    /// Notes a token carried by an effect or by loaded data.
    pub fn saw(&mut self, token: u64) {
        if token < BOUND {
            self.last = self.last.max(token);
        }
    }

    /// Leaves out a minute's worth of tokens; see the module's text.
    pub fn skip(&mut self, now_ms: u64) {
        self.skipped = self.skipped.max(self.last.max(at(now_ms)) + (SKIP_MS << SHIFT));
    }

    /// All state is about to be replaced by a load: the highest token will be that of the loaded
    /// state, but what this process has issued is not issued again.
    pub fn start_over(&mut self) {
        self.skipped = self.skipped.max(self.last);
        self.last = 0;
    }

    /// The highest token issued or seen.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether a token and a time found in decoded data are such as a sane clock could have given by
    /// now.
    pub fn plausible(token: u64, time_ms: u64, now_ms: u64) -> bool {
        let latest = now_ms.saturating_add(AHEAD_MS);
        token < BOUND && token <= at(latest) && time_ms <= latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_strictly_rise_whatever_the_clock_does(
            steps in prop::collection::vec((0u64..3_900_000_000_000, 0u8..4), 1..200),
        ) {
            let mut clock = TokenClock::new();
            let mut last = 0;
            for (now, event) in steps {
                match event {
                    0 => clock.skip(now),
                    1 => clock.start_over(),
                    _ => {}
                }
                let token = clock.next(now);
                prop_assert!(token > last);
                prop_assert!(token < BOUND);
                clock.saw(token);
                last = token;
            }
        }
    }

    #[test]
    fn after_a_skip_a_minute_of_tokens_is_left_out() {
        let now = EPOCH_MS + 1_000_000;
        let mut clock = TokenClock::new();
        clock.saw(clock.next(now));
        let lost = clock.next(now) + 245_000_000;
        clock.skip(now);
        assert!(clock.next(now) > lost);
        assert_eq!(clock.last(), at(now));
    }

    #[test]
    fn a_token_from_next_year_is_not_plausible() {
        let now = EPOCH_MS + 1_000_000;
        assert!(TokenClock::plausible(at(now), now, now));
        assert!(!TokenClock::plausible(at(now + 366 * AHEAD_MS), now, now));
        assert!(!TokenClock::plausible(at(now), now + 366 * AHEAD_MS, now));
        assert!(!TokenClock::plausible(u64::MAX, now, now));
    }
}
