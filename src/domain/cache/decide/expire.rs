//! CACHE.EXPIRE: what is there is no longer fresh, and what is being loaded is not stored.

use crate::domain::cache::{Effect, Entry};
use crate::domain::decision::Decision;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Value;

/// Answers whether there was anything: a value, its absence, or a lease.
///
/// Sent again it answers alike while there is something left to be served stale, for no longer.
pub fn decide_expire(state: Option<&Entry>, now: UnixMs, tokens: &TokenClock) -> Decision<bool, Effect> {
    match state.filter(|entry| entry.stands(now)) {
        Some(entry) => {
            let grant = tokens.next(now).max(entry.highest_token() + 1);
            Decision::change(true, Effect::Expire { grant, at: now })
        }
        None => Decision::answer(false),
    }
}
