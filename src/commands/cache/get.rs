//! CACHE.GET: a fresh value, or nothing.

use crate::domain::cache::{CacheEntry, State};
use crate::domain::refusal::{Code, Refusal};
use crate::module_api::command::Call;
use crate::module_api::string_keys;
use crate::runtime::handler::Handler;

use crate::commands::cache::{invalidate, plain_string, stats};
use crate::runtime::commit;

/// `CACHE.GET key`
pub struct CacheGet;

impl Handler for CacheGet {
    fn run(call: Call<'_>) -> Result<(), Refusal> {
        let key = call.args.name(1);
        let seen = commit::read::<CacheEntry, _>(call.ctx, key, |entry, now| {
            let fresh = entry.filter(|entry| invalidate::pending_invalidation(entry, key.bytes()).is_none());
            let value = fresh.and_then(|entry| entry.view(now));
            call.reply.bulk_or_null(value.as_deref());
            Ok(match (value, fresh) {
                (Some(_), _) => State::Hit,
                (None, Some(entry)) if entry.is_absent(now) => State::Absent,
                _ => State::Busy,
            })
        });
        // One of the server's own strings, which is rare, is asked for only then.
        match seen {
            Err(refusal) if refusal.code == Code::WrongType => {
                let string = plain_string::left(call.ctx, key).and_then(|_| string_keys::get(call.ctx, key));
                call.reply.bulk(&string.ok_or(refusal)?);
                stats::count_answer(stats::class_of(key.bytes()), State::Hit);
            }
            seen => stats::count_answer(stats::class_of(key.bytes()), seen?),
        }
        Ok(())
    }
}
