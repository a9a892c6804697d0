//! CACHE.RELEASE: a lease given back, since the load failed or its holder has gone.

use crate::domain::cache::{CacheEntry, Effect};
use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::UnixMs;

/// The next reader is sent to load after `delay` ms. A stale value goes on being served.
///
/// Sent again it answers alike and keeps the first delay, until another lease is granted. `FENCED`
/// when the lease with this token was superseded, or has ended with a SET.
pub fn decide_release(
    state: Option<&CacheEntry>,
    token: u64,
    delay: u64,
    now: UnixMs,
) -> Result<Decision<(), Effect>, Refusal> {
    let entry = state.filter(|entry| entry.is_live(now));
    match entry.and_then(|entry| entry.lease()) {
        Some(lease) if lease.token != token => {}
        Some(lease) if lease.released => return Ok(Decision::answer(())),
        Some(_) => return Ok(Decision::change((), Effect::Release { token, at: now, delay })),
        None => {}
    }
    Err(Refusal::new(Code::Fenced, "the lease was superseded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cache::{GetSetRequest, State, decide_getset};
    use crate::domain::token::{EPOCH_MS, TokenClock};
    use crate::domain::value::{Lifetime, Value};

    #[test]
    fn after_a_release_and_its_delay_the_next_reader_fills_and_the_old_token_is_fenced() {
        let tokens = TokenClock::new();
        let get = |entry: Option<&CacheEntry>, now| {
            let decision =
                decide_getset(entry, &GetSetRequest { lease: 1_000, touch: None, early: None }, now, &tokens)
                    .unwrap();
            (decision.reply.state, decision.reply.token, decision.reply.ms, decision.effect)
        };
        let (_, first, _, fill) = get(None, EPOCH_MS);
        let mut entry = CacheEntry::default();
        entry.apply(fill.unwrap());
        assert!(decide_release(Some(&entry), first + 1, 0, EPOCH_MS).is_err());
        let released = decide_release(Some(&entry), first, 300, EPOCH_MS + 100).unwrap();
        entry.apply(released.effect.unwrap());
        assert_eq!(entry.lifetime(), Lifetime::Until(EPOCH_MS + 60_100));
        assert_eq!(entry.next_due(), Some(EPOCH_MS + 400));
        let again = decide_release(Some(&entry), first, 9_999, EPOCH_MS + 200).unwrap();
        assert_eq!(again.effect, None, "the first delay stands");
        let (state, _, ms, _) = get(Some(&entry), EPOCH_MS + 399);
        assert_eq!((state, ms), (State::Busy, 1));
        let (state, _, _, fill) = get(Some(&entry), EPOCH_MS + 400);
        assert_eq!(state, State::Fill);
        entry.apply(fill.unwrap());
        assert!(decide_release(Some(&entry), first, 0, EPOCH_MS + 400).is_err());
    }
}
