//! The token clock of this server.

use crate::domain::token::TokenClock;
use crate::module_api::main_thread::MainThread;

static TOKENS: MainThread<Option<TokenClock>> = MainThread::new(None);

/// Runs `body` with the token clock.
pub fn tokens<R>(body: impl FnOnce(&mut TokenClock) -> R) -> R {
    TOKENS.with(|clock| body(clock.get_or_insert_default()))
}
