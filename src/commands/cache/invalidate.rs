//! CACHE.INVALIDATE: entries that are named by what they have in common.

use crate::domain::cache;
use crate::domain::cache::{Entry, Horizon, Invalidations, Mark, Reach, Tags};
use crate::domain::refusal::Refusal;
use crate::module_api::command::{Call, Handler};
use crate::module_api::main_thread::MainThread;

use crate::commands::args::Words;
use crate::runtime::global_tables;

/// Names in one call.
const MOST_NAMES: usize = 1_000;

/// Until when anything lasts that this server holds or has held since its start.
static HORIZON: MainThread<Horizon> = MainThread::new(Horizon::NOTHING);

/// Notes an entry that was stored, changed or loaded.
pub fn settled(entry: &Entry) {
    HORIZON.with(|horizon| *horizon = horizon.join(entry.horizon()));
}

/// What the entry under `key` becomes by what was invalidated, where that makes a difference.
pub fn overruled(entry: &Entry, key: &[u8]) -> Option<cache::Effect> {
    global_tables::read(|marks: &Invalidations| entry.invalidated(key, marks))
}

/// The newest invalidation that concerns a value with these tags under `key`.
pub fn newest(key: &[u8], tags: &Tags) -> Option<Mark> {
    global_tables::read(|marks: &Invalidations| marks.over(key, tags.iter()))
}

/// How many tags and prefixes are remembered as invalidated.
pub fn remembered() -> (usize, usize) {
    global_tables::read(Invalidations::counts)
}

/// `CACHE.INVALIDATE TAG tag [tag …]`
pub struct Tag;

impl Handler for Tag {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Reach::Tag)
    }
}

/// `CACHE.INVALIDATE PREFIX prefix [prefix …]`
pub struct Prefix;

impl Handler for Prefix {
    type Refusal = Refusal;

    fn run(call: Call<'_>) -> Result<(), Refusal> {
        invalidate(call, Reach::Prefix)
    }
}

fn invalidate(call: Call<'_>, reach: Reach) -> Result<(), Refusal> {
    let mut words = Words::of(call.args);
    words.word("subcommand")?;
    let names: Vec<&[u8]> = std::iter::from_fn(|| words.next_if(|_| true)).take(MOST_NAMES + 1).collect();
    if names.len() > MOST_NAMES {
        return Err(Refusal::err(format!("too many names: at most {MOST_NAMES} in a call")));
    }
    let horizon = HORIZON.with(|horizon| *horizon);
    global_tables::write::<Invalidations, _>(call.ctx, |_, now, tokens| {
        cache::decide_invalidate(reach, &names, horizon, now, tokens)
    })?;
    call.reply.ok();
    Ok(())
}
