//! The token clock of this server.

use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;
use crate::domain::token;
use crate::domain::token::TokenClock;
use crate::domain::value::Effect;
use crate::module_api::main_thread::MainThread;

static TOKENS: MainThread<Option<TokenClock>> = MainThread::new(None);

/// Runs `body` with the token clock.
pub fn tokens<R>(body: impl FnOnce(&mut TokenClock) -> R) -> R {
    TOKENS.with(|clock| body(clock.get_or_insert_default()))
}

/// Refuses a change that would grant a token of 15 digits: the clock has no more.
pub fn refuse_spent<E: Effect>(effect: Option<&E>) -> Result<(), Refusal> {
    match effect {
        Some(effect) if effect.highest_token() >= token::BOUND => Err(Refusal::err(
            "the token clock of this server is used up; move what is wanted by other means to an empty server",
        )),
        _ => Ok(()),
    }
}

/// See [`TokenClock::admits`].
pub fn admits(token: u64, now: UnixMs) -> bool {
    tokens(|clock| clock.admits(token, now))
}
