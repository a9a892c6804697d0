//! The time and the token of commands that are replicated verbatim.
//!
//! A verbatim command lacks only its time and its token. The primary sends `WORKGATE._APPLY time ms
//! token` before the first such command of a millisecond. A replica and the AOF loader take the
//! time of the last tick. The token is the highest that the history has granted: the next one
//! follows from it and the time ([`next_token`]). Effects that carry tokens raise it in passing;
//! where the clock of this server gives another than the one that would follow (after a promotion,
//! a load, a RESTORE), a tick says so first.
//!
//! A tick also carries the number of the rules by which a POP chooses its jobs: what replays a POP
//! must choose by the same ones.
//!
//! The last tick is a part of the history, as the keys are: what saves the keys saves it, so that
//! nothing that cuts the history in two (a full synchronisation, a rewritten file, a promotion) can
//! part a command from its time. Only the child that rewrites an append-only file without an RDB
//! preamble may leave it out (where the module has no key): so the primary sends the tick again
//! after each rewrite.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::refusal::Refusal;
use crate::domain::time;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::{long_token, token};
use crate::module_api::context::Ctx;
use crate::module_api::replication;

use crate::module_api::data_type::{Aux, AuxState};
use crate::runtime::{in_use, token_clock};

/// Its name in `WORKGATE._APPLY`.
pub const NAME: &CStr = c"time";

/// Its name before 0.1.0, when tokens were long (see [`crate::domain::long_token`]).
pub const NAME_WITH_LONG_TOKEN: &CStr = c"tick";

/// The last one; 0 when there was none. Commands run one at a time.
static LAST: AtomicU64 = AtomicU64::new(0);

/// The highest token of the history. Other than the token clock it knows nothing of what never was
/// a part of it.
static TOKEN: AtomicU64 = AtomicU64::new(0);

/// Whether [`TOKEN`] is a long one: the history so far is of before 0.1.0.
static IS_LONG: AtomicBool = AtomicBool::new(false);

/// The number of the rules by which a command chooses that is replicated verbatim: a POP its jobs.
/// Whoever changes them raises it. A replay of a lower number goes on choosing by the rules of that
/// number, or files of earlier versions could not be loaded any more.
const OWN_RULES: u64 = 1;

/// The number of the rules that the last tick has named; 0 before any did.
static RULES: AtomicU64 = AtomicU64::new(0);

/// Whether the append-only file surely holds it.
static IN_AOF: AtomicBool = AtomicBool::new(false);

/// A rewrite of the append-only file has begun.
pub fn mark_not_in_aof() {
    IN_AOF.store(false, Ordering::Relaxed);
}

pub fn last() -> UnixMs {
    LAST.load(Ordering::Relaxed)
}

/// The highest token of the history.
pub fn token() -> u64 {
    TOKEN.load(Ordering::Relaxed)
}

/// Forgets the history: another one begins.
pub fn reset() {
    set(0, 0, false, 0);
}

fn set(at: UnixMs, token: u64, is_long: bool, rules: u64) {
    LAST.store(at, Ordering::Relaxed);
    TOKEN.store(token, Ordering::Relaxed);
    IS_LONG.store(is_long, Ordering::Relaxed);
    RULES.store(rules, Ordering::Relaxed);
}

/// Refuses to replay a command that has chosen by rules which are not known here.
pub fn refuse_other_rules() -> Result<(), Refusal> {
    match RULES.load(Ordering::Relaxed) {
        OWN_RULES => Ok(()),
        rules => Err(Refusal::err(format!(
            "a POP chose its jobs by the rules of number {rules}, and this version knows those of number \
             {OWN_RULES}: load a newer module"
        ))),
    }
}

fn is_long() -> bool {
    IS_LONG.load(Ordering::Relaxed)
}

/// An effect has granted this token, 0 if none.
pub fn note_token(token: u64) {
    TOKEN.fetch_max(token, Ordering::Relaxed);
}

/// An effect of before 0.1.0 has granted this long token.
pub fn note_long_token(token: u64) {
    TOKEN.fetch_max(token, Ordering::Relaxed);
    IS_LONG.store(true, Ordering::Relaxed);
}

/// The token that a command of the history grants at the last tick.
pub fn next_token() -> u64 {
    if is_long() { long_token::shorten(next_long_token()) } else { TokenClock::after(token()).next(last()) }
}

fn next_long_token() -> u64 {
    long_token::next(token(), last())
}

/// A command of the history has granted `token`, 0 if none: the next one.
pub fn note_next_token(token: u64) {
    if token > 0 && is_long() {
        note_long_token(next_long_token());
    } else {
        note_token(token);
    }
}

/// Says that the command which is replicated next happened at `now` and grants `token`, 0 if none.
pub fn replicate_tick(ctx: Ctx<'_>, now: UnixMs, token: u64) {
    let has_own_rules = RULES.load(Ordering::Relaxed) == OWN_RULES;
    let said = now == last() && IN_AOF.load(Ordering::Relaxed) && !is_long() && has_own_rules;
    let highest = if is_long() { long_token::shorten(self::token()) + 1 } else { self::token() };
    let follows = token == 0 || token == TokenClock::after(highest).next(now);
    if said && follows {
        return;
    }
    set(now, if follows { highest } else { token - 1 }, false, OWN_RULES);
    IN_AOF.store(true, Ordering::Relaxed);
    let mut writer = Writer::new();
    writer.int(now);
    writer.int(self::token());
    writer.int(OWN_RULES);
    replication::table_effect(ctx, NAME, &writer.finish());
}

/// Writes the last tick into this replica's own AOF if it is not there yet. Call it before a
/// replica forwards a verbatim command.
pub fn forward(ctx: Ctx<'_>) {
    if !IN_AOF.swap(true, Ordering::Relaxed) {
        clock_to_aof(ctx);
    }
}

/// Whether a message of `WORKGATE._APPLY` is a tick.
pub fn is_tick(name: &[u8]) -> bool {
    [NAME, NAME_WITH_LONG_TOKEN].iter().any(|tick| tick.to_bytes() == name)
}

/// Takes one that the primary has announced, under one of both names.
pub fn take(name: &[u8], effect: &[u8], now: UnixMs) -> Result<(), Corrupt> {
    let is_long = name == NAME_WITH_LONG_TOKEN.to_bytes();
    let mut reader = Reader::new(effect);
    let (at, token) = (reader.int()?, reader.int()?);
    // Before POP was replicated verbatim, ticks named no rules.
    let rules = if reader.is_empty() { 0 } else { reader.int()? };
    reader.end()?;
    if token >= bound(is_long) || !(is_long || token_clock::admits(token, now)) || !time::is_near(at, now) {
        return Err(Corrupt);
    }
    set(at, token, is_long, rules);
    Ok(())
}

fn bound(is_long: bool) -> u64 {
    if is_long { long_token::BOUND } else { token::BOUND }
}

/// The token clock's name in `WORKGATE._APPLY`, beside those of the tables.
pub(crate) const CLOCK: &CStr = c"clock";

pub(crate) fn clock() -> Option<AuxState> {
    Clock::save().map(|bytes| AuxState { name: CLOCK, encoding: Clock::ENCODING, bytes })
}

/// Writes the clock and the last tick into the AOF of this server alone.
pub fn clock_to_aof(ctx: Ctx<'_>) {
    if let Some(state) = clock() {
        replication::table_to_aof(ctx, &state);
    }
}

/// The carrier of the token clock and of the last tick in RDB files.
pub struct Clock;

impl Aux for Clock {
    const TYPE_NAME: &'static CStr = c"workgate0";
    /// 3 names the rules of choosing, and 2 says whether the token of the history is a long one; in
    /// 1 all tokens are.
    const ENCODING: u32 = 3;

    fn save() -> Option<Vec<u8>> {
        if !in_use::is_in_use() {
            return None;
        }
        let (last, tick, token) = (token_clock::tokens(|clock| clock.last()), last(), token());
        (last > 0 || tick > 0 || token > 0).then(|| {
            let mut writer = Writer::new();
            [last, tick, token].into_iter().for_each(|number| writer.int(number));
            writer.bool(is_long());
            writer.int(RULES.load(Ordering::Relaxed));
            writer.finish()
        })
    }

    fn load(encoding: u32, bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        let mut read = || {
            let (last, tick, token) = (reader.int()?, reader.int()?, reader.int()?);
            let (last, is_long) = if encoding == 1 {
                // Rounded up: it stands for 64 tokens of which some come later.
                (long_token::shorten(last) + 1, true)
            } else {
                (last, reader.bool()?)
            };
            let rules = if encoding < 3 { 0 } else { reader.int()? };
            reader.end()?;
            if last < token::BOUND && token < bound(is_long) {
                Ok((last, tick, token, is_long, rules))
            } else {
                Err(Corrupt)
            }
        };
        let Ok((last, tick, token, is_long, rules)) = read() else { return false };
        // Of a damaged clock this server could grant no higher token for ever.
        let now = Ctx::no_context().now_ms();
        let tokens_are_near = token_clock::admits(last, now) && (is_long || token_clock::admits(token, now));
        if !tokens_are_near || !time::is_near(tick, now) {
            return false;
        }
        token_clock::tokens(|clock| clock.saw(last));
        set(tick, token, is_long, rules);
        true
    }
}
