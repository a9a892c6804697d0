//! What the module holds beside the keys: the token clock, and the tables (`global_tables`).

use crate::domain::codec::Corrupt;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::module_api::context::Ctx;
use crate::module_api::data_type::{Aux, AuxState};
use crate::module_api::{random, replication, timer};

use crate::runtime::{global_tables, replicated_clock, token_clock};

/// A load replaces everything. What the clock has seen so far stays a floor for what it issues, so
/// that no token is issued twice by this process.
pub fn load_started() {
    token_clock::tokens(TokenClock::start_over);
    replicated_clock::reset();
    global_tables::load_started();
}

/// The newest effects may have been lost before a start, a load or a promotion: skips their tokens.
pub fn history_may_be_lost(now: UnixMs) {
    skip_tokens(now);
}

/// Leaves out tokens that another server may have issued.
pub fn skip_tokens(now: UnixMs) {
    let chance = random::number();
    token_clock::tokens(|clock| clock.skip(now, chance));
}

/// All of it, as a rewritten AOF carries it.
pub fn saved() -> Vec<AuxState> {
    replicated_clock::clock().into_iter().chain(global_tables::saved()).collect()
}

/// An AOF that is rewritten without an RDB preamble carries what belongs to no key before the first
/// key of ours. Where there is none, the server asks the module for nothing: so all of it also goes
/// behind what the rewrite writes.
pub fn rewrite_began(ctx: Ctx<'_>) {
    replicated_clock::mark_not_in_aof();
    timer::start(ctx, 0, append);
}

fn append(ctx: Ctx<'_>) {
    const AGAIN_MS: u64 = 20;
    if ctx.must_not_replicate() {
        timer::start(ctx, AGAIN_MS, append);
    } else if !ctx.is_loading() {
        saved().iter().for_each(|state| replication::table_to_aof(ctx, state));
    }
}

/// Takes back one of those.
pub fn load(name: &[u8], encoding: u32, bytes: &[u8]) -> Result<(), Corrupt> {
    if name != replicated_clock::CLOCK.to_bytes() {
        return global_tables::load(name, encoding, bytes);
    }
    if encoding <= replicated_clock::Clock::ENCODING && replicated_clock::Clock::load(encoding, bytes) {
        Ok(())
    } else {
        Err(Corrupt)
    }
}
