//! What the module holds beside the keys: the token clock, and the [`tables`].

use std::ffi::CStr;

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::domain::token::{BOUND, TokenClock};
use crate::server::cell::MainThread;
use crate::server::ctx::Ctx;
use crate::server::native::{Aux, BesideKeys};
use crate::server::{replicate, timer};

use super::{tables, tick};

static TOKENS: MainThread<Option<TokenClock>> = MainThread::new(None);

/// Runs `body` with the token clock.
pub fn tokens<R>(body: impl FnOnce(&mut TokenClock) -> R) -> R {
    TOKENS.with(|clock| body(clock.get_or_insert_default()))
}

/// A load replaces everything. What the clock has seen so far stays a floor for what it issues, so
/// that no token is issued twice by this process.
pub fn load_started() {
    tokens(TokenClock::start_over);
    tick::set(0, 0);
    tables::load_started();
}

/// The newest effects may have been lost before a load or a promotion: their tokens are left out.
pub fn history_may_be_lost(now: UnixMs) {
    tokens(|clock| clock.skip(now));
}

/// The token clock's name in `WORKGATE._APPLY`, beside those of the tables.
const CLOCK: &CStr = c"clock";

/// All of it, as a rewritten AOF carries it.
pub fn saved() -> Vec<BesideKeys> {
    clock().into_iter().chain(tables::saved()).collect()
}

fn clock() -> Option<BesideKeys> {
    Clock::save().map(|bytes| BesideKeys { name: CLOCK, encoding: Clock::ENCODING, bytes })
}

/// Says in the AOF of this server alone how the clock and the last tick stand.
pub fn clock_to_aof(ctx: Ctx<'_>) {
    if let Some(state) = clock() {
        replicate::table_to_aof(ctx, &state);
    }
}

/// An AOF that is rewritten without an RDB preamble carries what belongs to no key before the first key of
/// ours. Where there is none, nobody asks the module for anything: so all of it also goes behind what the
/// rewrite writes.
pub fn rewrite_began(ctx: Ctx<'_>) {
    tick::say_again();
    timer::start(ctx, 0, append);
}

fn append(ctx: Ctx<'_>) {
    const AGAIN_MS: u64 = 20;
    if ctx.must_not_replicate() {
        timer::start(ctx, AGAIN_MS, append);
    } else if !ctx.is_loading() {
        saved().iter().for_each(|state| replicate::table_to_aof(ctx, state));
    }
}

/// Takes back one of those.
pub fn load(name: &[u8], encoding: u32, bytes: &[u8]) -> Result<(), Corrupt> {
    if name != CLOCK.to_bytes() {
        return tables::load(name, encoding, bytes);
    }
    if encoding <= Clock::ENCODING && Clock::load(encoding, bytes) { Ok(()) } else { Err(Corrupt) }
}

/// The carrier of the token clock and of the last tick in RDB files.
pub struct Clock;

impl Aux for Clock {
    const TYPE_NAME: &'static CStr = c"workgate0";
    const ENCODING: u32 = 1;

    fn save() -> Option<Vec<u8>> {
        let (last, tick, token) = (tokens(|clock| clock.last()), tick::last(), tick::token());
        (last > 0 || tick > 0 || token > 0).then(|| {
            let mut writer = Writer::new();
            [last, tick, token].into_iter().for_each(|number| writer.int(number));
            writer.finish()
        })
    }

    fn load(_encoding: u32, bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        match (reader.int(), reader.int(), reader.int()) {
            (Ok(last), Ok(tick), Ok(token)) if reader.is_empty() && token < BOUND => {
                tokens(|clock| clock.saw(last));
                tick::set(tick, token);
                true
            }
            _ => false,
        }
    }
}
