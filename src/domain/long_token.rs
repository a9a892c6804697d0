//! Tokens as they were numbered before 0.1.0: 16 digits, the milliseconds shifted left by twelve.
//!
//! Files and effects of that time are read, and each of their tokens is divided by 64 on the way
//! in, which gives the token of the same millisecond in today's numbering. Up to 64 successive
//! tokens become one. So a lease, a completed record or a job keeps its place in the order, but a
//! client that holds a token of 16 digits is FENCED.

use super::token::EPOCH_MS;

/// Long tokens are below this bound.
pub const BOUND: u64 = 1 << 53;

const SHIFT: u32 = 12;

/// The token of today that stands for a long one; 0 for none.
pub fn shorten(long: u64) -> u64 {
    if long == 0 { 0 } else { (long >> 6).max(1) }
}

/// The long token that followed `last` at `now_ms`.
pub fn next(last: u64, now_ms: u64) -> u64 {
    (last + 1).max((now_ms.saturating_sub(EPOCH_MS) << SHIFT).min(BOUND - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::token::TokenClock;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_of_long_tokens_is_kept(a in 0..BOUND, b in 0..BOUND) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(shorten(low) <= shorten(high));
            prop_assert!(high - low < 64 || shorten(low) < shorten(high));
            prop_assert_eq!(shorten(low) == 0, low == 0);
        }

        #[test]
        fn the_token_of_a_millisecond_becomes_its_token(ms in 1u64..1 << 40) {
            let now = EPOCH_MS + ms;
            prop_assert_eq!(shorten(next(0, now)), TokenClock::new().next(now));
        }
    }
}
