//! CACHE.INVALIDATE: entries that are named by what they have in common.

use crate::domain::cache;
use crate::domain::cache::{CacheEntry, Invalidation, Invalidations, LatestExpiry, Scope, Tags};
use crate::domain::refusal::Refusal;
use crate::module_api::command::{Call, Handler};
use crate::module_api::main_thread::MainThread;

use crate::commands::args::Words;
use crate::runtime::global_tables;

/// Names in one call.
const MAX_NAMES: usize = 1_000;

/// Until when anything lasts that this server holds or has held since its start.
static LATEST_EXPIRY: MainThread<LatestExpiry> = MainThread::new(LatestExpiry::NONE);

/// Notes an entry that was stored, changed or loaded.
pub fn note_expiry(entry: &CacheEntry) {
    LATEST_EXPIRY.with(|latest_expiry| *latest_expiry = latest_expiry.join(entry.latest_expiry()));
}

/// What the entry under `key` becomes by what was invalidated, where that makes a difference.
pub fn pending_invalidation(entry: &CacheEntry, key: &[u8]) -> Option<cache::Effect> {
    global_tables::read(|invalidations: &Invalidations| entry.invalidated(key, invalidations))
}

/// The newest invalidation that concerns a value with these tags under `key`.
pub fn newest_invalidation(key: &[u8], tags: &Tags) -> Option<Invalidation> {
    global_tables::read(|invalidations: &Invalidations| invalidations.newest_for(key, tags.iter()))
}

/// How many tags and prefixes are remembered as invalidated.
pub fn remembered_counts() -> (usize, usize) {
    global_tables::read(Invalidations::counts)
}

/// `CACHE.INVALIDATE TAG tag [tag …]`
pub struct InvalidateTag;

impl Handler for InvalidateTag {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Scope::Tag)
    }
}

/// `CACHE.INVALIDATE PREFIX prefix [prefix …]`
pub struct InvalidatePrefix;

impl Handler for InvalidatePrefix {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Scope::Prefix)
    }
}

fn invalidate(call: Call<'_>, scope: Scope) -> Result<(), Refusal> {
    let mut words = Words::of(call.args);
    words.word("subcommand")?;
    let names: Vec<&[u8]> = std::iter::from_fn(|| words.next_if(|_| true)).take(MAX_NAMES + 1).collect();
    if names.len() > MAX_NAMES {
        return Err(Refusal::err(format!("too many names: at most {MAX_NAMES} in a call")));
    }
    let latest_expiry = LATEST_EXPIRY.with(|latest_expiry| *latest_expiry);
    global_tables::write::<Invalidations, _>(call.ctx, |_, now, tokens| {
        cache::decide_invalidate(scope, &names, latest_expiry, now, tokens)
    })?;
    call.reply.ok();
    Ok(())
}
