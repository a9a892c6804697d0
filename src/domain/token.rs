//! Fencing tokens from a hybrid logical clock.
//!
//! A token is an integer of at most 14 digits, because Lua prints numbers with `%.14g`, and it
//! strictly rises: the milliseconds since [`EPOCH_MS`], shifted left by six, or one more than the
//! last one, whichever is larger. More than 64 tokens in a millisecond run ahead of the wall. The
//! scheme is that of hybrid logical clocks (Kulkarni et al., 2014).
//!
//! A crash or a failover can lose the newest effects, and with them the tokens they held. So a
//! server that starts or is promoted skips a random number of tokens below 2^32. A lost token is
//! issued again with a chance of (tokens lost) / 2^32 at each start. A skip of a fixed length would
//! repeat itself: a server that loads the same file twice would issue the same tokens twice.
//!
//! A node of a cluster that gets a value from a node whose tokens are ahead skips as well. That
//! node may have issued the next tokens for keys of the same slot that are gone again.

/// 2026-01-01T00:00:00Z. With six bits below, tokens have at most 14 digits for 49 years.
pub const EPOCH_MS: u64 = 1_767_225_600_000;

const SHIFT: u32 = 6;

/// A start or a promotion skips at most this many tokens.
const MAX_SKIP: u64 = 1 << 32;

/// Tokens are below this bound: 10^14. Half of the range is for starts: some 23,000 skips of 2^31
/// tokens.
pub const BOUND: u64 = 100_000_000_000_000;

/// A decoded token may be ahead of the tokens of this server by this much: 256 skips, or half a
/// year of the wall. Beyond it the value is refused, so that one crafted RESTORE cannot exhaust the
/// clock.
const MAX_TOKENS_AHEAD: u64 = 1 << 40;

/// A decoded time may be ahead of the clock by this much (a day).
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
    /// counts as issued when the effect that carries it is applied (see [`TokenClock::saw`]). At
    /// [`BOUND`] or beyond it must not be granted.
    pub fn next(&self, now_ms: u64) -> u64 {
        (self.last.max(self.skipped) + 1).max(at(now_ms))
    }

    /// Notes a token carried by an effect or by loaded data.
    pub fn saw(&mut self, token: u64) {
        if token < BOUND {
            self.last = self.last.max(token);
        }
    }

    /// Skips a random number of tokens; see the module's text. `chance` is any number, drawn anew
    /// for each call.
    pub fn skip(&mut self, now_ms: u64, chance: u64) {
        self.skipped = self.skipped.max(self.last).max(at(now_ms)) + 1 + chance % MAX_SKIP;
    }

    /// All state is about to be replaced by a load: the highest token will be that of the loaded
    /// state, but what this process has issued is not issued again.
    pub fn start_over(&mut self) {
        self.skipped = self.skipped.max(self.last);
        self.last = 0;
    }

    /// Names what this server has done since it last skipped tokens: since then it has lost
    /// nothing. A number drawn at random by [`TokenClock::skip`], 0 before.
    pub fn reign(&self) -> u64 {
        self.skipped
    }

    /// The highest token issued or seen.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether a token of a file, of the append-only file or of a primary may be taken: of a
    /// damaged one this server could grant no higher one for ever. The first token of a history may
    /// be far from this server's own; from then on the history itself is the measure.
    pub fn admits(&self, token: u64, now_ms: u64) -> bool {
        let highest = match self.last {
            0 => at(now_ms).saturating_add(BOUND / 2),
            // A primary may be ahead by what it skipped, and have believed a RESTORE from there.
            _ => self.next(now_ms).saturating_add(4 * MAX_TOKENS_AHEAD),
        };
        token < BOUND && token <= highest
    }

    /// Whether a server of this time may have issued the token and seen the time, both found in
    /// decoded data.
    pub fn is_plausible(&self, token: u64, time_ms: u64, now_ms: u64) -> bool {
        let highest = self.next(now_ms).saturating_add(MAX_TOKENS_AHEAD);
        token < BOUND && token <= highest && time_ms <= now_ms.saturating_add(AHEAD_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_strictly_rise_whatever_the_clock_does(
            steps in prop::collection::vec((0u64..2_900_000_000_000, 0u8..4, any::<u64>(), 1u64..2_000), 1..200),
        ) {
            let mut clock = TokenClock::new();
            let mut last = 0;
            for (now, event, chance, burst) in steps {
                match event {
                    0 => clock.skip(now, chance),
                    1 => clock.start_over(),
                    _ => {}
                }
                let token = clock.next(now);
                prop_assert!(token > last);
                prop_assert!(token < BOUND);
                // So many within the millisecond, as 10^6 a second are a thousand.
                last = token + burst - 1;
                clock.saw(last);
            }
        }
    }

    /// One run of a server: its clock, how many tokens it grants, how many of them are not lost,
    /// and its chance.
    type Run = (u64, u64, u64, u64);

    #[test]
    fn no_token_comes_twice_whatever_starts_and_promotions_lose() {
        let runs = prop::collection::vec((0..200_000u64, 1..30u64, 0..30u64, any::<u64>()), 1..30);
        // Not of any seed: a collision has a chance, though a small one.
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        runner
            .run(&runs, |runs: Vec<Run>| {
                let (mut kept, mut granted) = (0, std::collections::HashSet::new());
                for (now, grants, survivors, chance) in runs {
                    let now = EPOCH_MS + now;
                    let mut clock = TokenClock::after(kept);
                    clock.skip(now, chance);
                    for grant in 0..grants {
                        let token = clock.next(now);
                        prop_assert!(granted.insert(token), "{} came twice", token);
                        clock.saw(token);
                        if grant < survivors {
                            kept = token;
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_skip_is_of_one_token_at_least_and_leaves_the_replicated_state_alone() {
        let now = EPOCH_MS + 1_000_000;
        let mut clock = TokenClock::new();
        clock.saw(clock.next(now));
        for chance in [0, 1, MAX_SKIP - 1, MAX_SKIP, u64::MAX] {
            let before = clock.next(now);
            clock.skip(now, chance);
            assert!((before + 1..=before + MAX_SKIP + 1).contains(&clock.next(now)));
        }
        assert_eq!(clock.last(), at(now));
    }

    #[test]
    fn what_a_server_has_issued_is_plausible_to_it_however_often_it_started() {
        let now = EPOCH_MS + 1_000_000;
        let mut clock = TokenClock::new();
        for _ in 0..40_000 {
            clock.skip(now, u64::from(u32::MAX) / 2);
            clock.saw(clock.next(now));
        }
        assert!(clock.last() > at(now + 366 * AHEAD_MS) && clock.last() < BOUND);
        assert!(clock.is_plausible(clock.last(), now, now));
    }

    #[test]
    fn a_history_admits_what_it_may_go_on_with_and_no_token_that_is_near_the_last() {
        let now = EPOCH_MS + 366 * AHEAD_MS;
        let mut clock = TokenClock::new();
        // Whatever the time of this server is: half of the range is left.
        for wrong in [0, now, now + 20 * 366 * AHEAD_MS] {
            assert!(clock.admits(at(now), wrong));
            assert!(!clock.admits(BOUND - 1, wrong));
        }
        clock.saw(at(now));
        assert!(clock.admits(at(now) + MAX_SKIP, 0));
        assert!(!clock.admits(at(now) + BOUND / 2, now));
        assert!(!clock.admits(u64::MAX, now));
    }

    #[test]
    fn a_token_from_next_year_is_not_plausible() {
        let now = EPOCH_MS + 1_000_000;
        let clock = TokenClock::new();
        assert!(clock.is_plausible(at(now), now, now));
        assert!(!clock.is_plausible(at(now + 366 * AHEAD_MS), now, now));
        assert!(!clock.is_plausible(at(now), now + 366 * AHEAD_MS, now));
        assert!(!clock.is_plausible(u64::MAX, now, now));
    }
}
