//! CACHE.INVALIDATE: entries that are named by what they have in common.

use crate::domain::cache;
use crate::domain::cache::{CacheEntry, Invalidation, Invalidations, LatestExpiry, Scope, Tags};
use crate::domain::refusal::{Code, Refusal, shown};
use crate::module_api::acl::Caller;
use crate::module_api::command::Call;
use crate::module_api::context::Ctx;
use crate::module_api::main_thread::MainThread;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, MAX_ITEMS, unknown};
use crate::runtime::{global_tables, token_clock};

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
    global_tables::read(|invalidations: &Invalidations| {
        invalidations.newest_for(key, tags.iter()).of_any_level()
    })
}

/// How many tags and prefixes are remembered as invalidated.
pub fn remembered_counts() -> (usize, usize) {
    global_tables::read(Invalidations::counts)
}

/// After a load the events of the invalidations say nothing about what this server holds.
pub fn load_ended(ctx: Ctx<'_>) {
    let next_token = token_clock::tokens(|tokens| tokens.next(ctx.now_ms()));
    global_tables::read(|invalidations: &Invalidations| invalidations.events().forget(next_token));
}

/// `CACHE.INVALIDATE TAG n tag … [HARD]`
pub struct InvalidateTag;

impl Handler for InvalidateTag {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Scope::Tag)
    }
}

/// `CACHE.INVALIDATE PREFIX n prefix … [HARD]`
pub struct InvalidatePrefix;

impl Handler for InvalidatePrefix {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Scope::Prefix)
    }
}

fn invalidate(call: Call<'_>, scope: Scope) -> Result<(), Refusal> {
    let mut words = ArgReader::of(call.args);
    words.next_arg("subcommand")?;
    let (count_name, name) = match scope {
        Scope::Tag => ("numtags", "tag"),
        Scope::Prefix => ("numprefixes", "prefix"),
    };
    let count = words.integer(count_name, 1, MAX_ITEMS as u64)?;
    let names = words.next_n(count, |words| words.next_arg(name))?;
    let mut hard = false;
    while let Some(option) = words.option()? {
        match option.folded() {
            b"HARD" => hard = true,
            _ => return Err(unknown(&option)),
        }
    }
    if scope == Scope::Prefix {
        refuse_foreign_prefixes(call.ctx, &names)?;
    }
    let latest_expiry = LATEST_EXPIRY.with(|latest_expiry| *latest_expiry);
    global_tables::write::<Invalidations, _>(call.ctx, |_, now, tokens| {
        cache::decide_invalidate(scope, hard, &names, latest_expiry, now, tokens)
    })?;
    call.reply.ok();
    Ok(())
}

/// All keys that begin with a prefix must be keys that the caller may change. Tags name no keys.
fn refuse_foreign_prefixes(ctx: Ctx<'_>, prefixes: &[&[u8]]) -> Result<(), Refusal> {
    let caller = Caller::of(ctx);
    match prefixes.iter().find(|prefix| !caller.may_write_prefix(ctx, prefix)) {
        None => Ok(()),
        Some(foreign) => {
            let text = format!("No permissions to access all keys with the prefix '{}'", shown(foreign));
            Err(Refusal::new(Code::NoPermission, text))
        }
    }
}
