//! A lease given back: its holder has gone.

use crate::domain::decision::Decision;
use crate::domain::refusal::{Code, Refusal};

use super::{Effect, Entry};

/// `FENCED` when the lease with this token has been superseded, or has ended with a SET.
pub fn decide_release(state: Option<&Entry>, token: u64) -> Result<Decision<(), Effect>, Refusal> {
    match state.and_then(|entry| entry.lease.as_ref()) {
        Some(lease) if lease.token == token => Ok(Decision::change((), Effect::Release)),
        _ => Err(Refusal::new(Code::Fenced, "the lease was superseded")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cache::{State, decide_getset};
    use crate::domain::token::{EPOCH_MS, TokenClock};
    use crate::domain::value::{Lifetime, Value};

    #[test]
    fn after_a_release_the_next_reader_fills_and_the_old_token_is_fenced() {
        let tokens = TokenClock::new();
        let first = decide_getset(None, 1_000, EPOCH_MS, &tokens).unwrap();
        let mut entry = Entry::default();
        entry.apply(first.effect.unwrap());
        assert!(decide_release(Some(&entry), first.reply.token + 1).is_err());
        let released = decide_release(Some(&entry), first.reply.token).unwrap();
        entry.apply(released.effect.unwrap());
        assert_eq!(entry.lifetime(), Lifetime::Over);
        let second = decide_getset(Some(&entry), 1_000, EPOCH_MS, &tokens).unwrap();
        assert_eq!(second.reply.state, State::Fill);
        assert!(decide_release(Some(&entry), first.reply.token).is_err());
    }
}
