//! CACHE.EVENTS: the invalidations that a process with copies of values has to follow.

use crate::domain::cache::{InvalidationEvent, Invalidations, Scope};
use crate::domain::refusal::Refusal;
use crate::module_api::command::Call;
use crate::runtime::handler::Handler;

use crate::commands::args::{ArgReader, MAX_ITEMS, unknown};
use crate::runtime::{global_tables, token_clock};

/// COUNT unless given.
const DEFAULT_COUNT: u64 = 100;

/// `CACHE.EVENTS since [COUNT n]`
pub struct CacheEvents;

impl Handler for CacheEvents {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let mut words = ArgReader::of(call.args);
        let since = words.integer("since", 0, i64::MAX as u64)?;
        let mut count = DEFAULT_COUNT;
        while let Some(option) = words.option()? {
            match option.folded() {
                b"COUNT" => count = words.integer("COUNT", 1, MAX_ITEMS as u64)?,
                _ => return Err(unknown(&option)),
            }
        }
        let now = call.ctx.now_ms();
        let next_token = || token_clock::tokens(|tokens| tokens.next(now));
        let events = global_tables::read(|invalidations: &Invalidations| {
            invalidations.events().after(since, count as usize, now, next_token)
        });
        call.reply.array(events.len());
        for InvalidationEvent { seq, at, scope, name, hard } in events {
            call.reply.array(5);
            call.reply.uint(seq);
            call.reply.uint(at);
            call.reply.word(match scope {
                Scope::Tag => c"tag",
                Scope::Prefix => c"prefix",
            });
            call.reply.bulk(&name);
            call.reply.uint(hard.into());
        }
        Ok(())
    }
}
