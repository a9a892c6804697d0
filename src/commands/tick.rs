//! The time at which commands happened that travel as they came.
//!
//! A command that carries its own effect says everything but the time. Before the first of a millisecond
//! goes `WORKGATE._APPLY tick ms`; a replica and the loader of the append-only file take the last one.
//!
//! The last tick is a part of the history, as the keys are: what saves the keys saves it, so that nothing
//! that cuts the history in two (a full synchronisation, a rewritten file, a promotion) can part a command
//! from its time. Only the child that rewrites an append-only file without an RDB preamble may leave it out
//! (where the module has no key): so it is said again behind each rewrite.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use crate::server::ctx::Ctx;
use crate::server::replicate;

use super::world;

/// Its name in `WORKGATE._APPLY`.
pub const NAME: &CStr = c"tick";

/// The last one; 0 when there was none. Commands run one at a time.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Whether the append-only file surely holds it.
static SAID: AtomicBool = AtomicBool::new(false);

/// A rewrite of the append-only file has begun.
pub fn say_again() {
    SAID.store(false, Ordering::Relaxed);
}

pub fn last() -> UnixMs {
    LAST.load(Ordering::Relaxed)
}

pub fn set(at: UnixMs) {
    LAST.store(at, Ordering::Relaxed);
}

/// Says that what is replicated next happened at `now`.
pub fn announce(ctx: Ctx<'_>, now: UnixMs) {
    if now == last() && SAID.load(Ordering::Relaxed) {
        return;
    }
    set(now);
    SAID.store(true, Ordering::Relaxed);
    let mut writer = Writer::new();
    writer.int(now);
    replicate::table_effect(ctx, NAME, &writer.finish());
}

/// On a replica, before a command is passed on that came as its own carrier: its append-only file holds the tick.
pub fn pass_on(ctx: Ctx<'_>) {
    if !SAID.swap(true, Ordering::Relaxed) {
        world::clock_to_aof(ctx);
    }
}

/// Takes one that the primary has announced.
pub fn take(effect: &[u8]) -> Result<(), Corrupt> {
    let mut reader = Reader::new(effect);
    let at = reader.int()?;
    reader.end()?;
    set(at);
    Ok(())
}
