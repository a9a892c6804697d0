//! What the module holds beside the keys: the token clock.

use crate::domain::codec::{Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::server::cell::MainThread;
use crate::server::native::Aux;

static TOKENS: MainThread<Option<TokenClock>> = MainThread::new(None);

/// Runs `body` with the token clock.
pub fn tokens<R>(body: impl FnOnce(&mut TokenClock) -> R) -> R {
    TOKENS.with(|clock| body(clock.get_or_insert_default()))
}

/// A load replaces everything. What the clock has seen so far stays a floor for what it issues, so
/// that no token is issued twice by this process.
pub fn load_started() {
    tokens(TokenClock::start_over);
}

/// The newest effects may have been lost before a load or a promotion: their tokens are left out.
pub fn history_may_be_lost(now: UnixMs) {
    tokens(|clock| clock.skip(now));
}

/// The carrier of the token clock in RDB files.
pub struct Clock;

impl Aux for Clock {
    const TYPE_NAME: &'static std::ffi::CStr = c"workgate0";
    const ENCODING: u32 = 1;

    fn save() -> Option<Vec<u8>> {
        let last = tokens(|clock| clock.last());
        (last > 0).then(|| {
            let mut writer = Writer::new();
            writer.int(last);
            writer.finish()
        })
    }

    fn load(_encoding: u32, bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        match reader.int() {
            Ok(last) if reader.is_empty() => {
                tokens(|clock| clock.saw(last));
                true
            }
            _ => false,
        }
    }
}
