//! What happens to the whole server.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use super::context::{Ctx, role_may_change};
use super::own_files::Source;
use super::panic_guard::catch_panic_or;
use crate::module_api::{api, raw, replication};

/// An event that concerns more than one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A load begins: everything held so far is about to be replaced.
    LoadStarted(Source),
    /// A load ended, well or not.
    LoadEnded,
    /// Keys of this database (of all, if `None`) have gone.
    Flushed(Option<i32>),
    /// Two databases have changed places.
    Swapped(i32, i32),
    /// A setting of the server, or of the module, has changed.
    Configured,
    Promoted,
    Demoted,
    /// This process, not a child, begins to save a whole file, or has ended it.
    SavesWholeFile(bool),
    /// The server's own round of work, some times a second by a clock that nobody sets.
    Cron,
    /// A child has begun to rewrite the AOF; all that is replicated from here on follows what it
    /// writes.
    RewriteBegan,
}

static LISTENER: OnceLock<fn(Ctx<'_>, Event)> = OnceLock::new();

/// Subscribes `listener` to all events of [`Event`].
pub fn subscribe(ctx: Ctx<'_>, listener: fn(Ctx<'_>, Event)) -> bool {
    LISTENER.get_or_init(|| listener);
    let all = [
        raw::REDISMODULE_EVENT_LOADING,
        raw::REDISMODULE_EVENT_FLUSHDB,
        raw::REDISMODULE_EVENT_SWAPDB,
        raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED,
        raw::REDISMODULE_EVENT_CONFIG,
        raw::REDISMODULE_EVENT_FORK_CHILD,
        raw::REDISMODULE_EVENT_PERSISTENCE,
        raw::REDISMODULE_EVENT_CRON_LOOP,
    ];
    all.into_iter().all(|id| {
        // The header's own constants of these are private to C; the version of the data is 1 for
        // all.
        let event = raw::RedisModuleEvent { id, dataver: 1 };
        // SAFETY: the context is alive; `happened` matches the callback's type.
        let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.raw(), event, Some(happened)) };
        status == raw::REDISMODULE_OK as c_int
    })
}

extern "C" fn happened(
    ctx: *mut raw::RedisModuleCtx,
    event: raw::RedisModuleEvent,
    sub: u64,
    data: *mut c_void,
) {
    catch_panic_or((), || {
        // SAFETY: `data` is of the type that the event's id says.
        let event = unsafe { translate(event.id, sub, data) };
        if matches!(event, Some(Event::LoadStarted(_) | Event::LoadEnded | Event::Promoted | Event::Demoted))
        {
            role_may_change();
        }
        if let (Some(event), Some(listener)) = (event, LISTENER.get()) {
            // SAFETY: the server keeps the context alive for the call.
            listener(unsafe { Ctx::new(ctx) }, event);
        }
    });
}

/// # Safety
/// `data` must be what the server passes with the event `id`.
unsafe fn translate(id: u64, sub: u64, data: *mut c_void) -> Option<Event> {
    match id {
        raw::REDISMODULE_EVENT_LOADING => Some(match sub {
            raw::REDISMODULE_SUBEVENT_LOADING_ENDED | raw::REDISMODULE_SUBEVENT_LOADING_FAILED => {
                Event::LoadEnded
            }
            raw::REDISMODULE_SUBEVENT_LOADING_RDB_START => Event::LoadStarted(Source::RdbFile),
            raw::REDISMODULE_SUBEVENT_LOADING_AOF_START => Event::LoadStarted(Source::AppendOnlyFile),
            _ => Event::LoadStarted(Source::Primary),
        }),
        raw::REDISMODULE_EVENT_FLUSHDB if sub == raw::REDISMODULE_SUBEVENT_FLUSHDB_END => {
            // SAFETY: by the caller's promise.
            let info = unsafe { &*data.cast::<raw::RedisModuleFlushInfo>() };
            Some(Event::Flushed(u32::try_from(info.dbnum).ok().map(|db| db as i32)))
        }
        raw::REDISMODULE_EVENT_SWAPDB => {
            // SAFETY: by the caller's promise.
            let info = unsafe { &*data.cast::<raw::RedisModuleSwapDbInfo>() };
            Some(Event::Swapped(info.dbnum_first, info.dbnum_second))
        }
        raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED => Some(match sub {
            raw::REDISMODULE_EVENT_REPLROLECHANGED_NOW_MASTER => Event::Promoted,
            _ => Event::Demoted,
        }),
        raw::REDISMODULE_EVENT_CONFIG => Some(Event::Configured),
        raw::REDISMODULE_EVENT_CRON_LOOP => Some(Event::Cron),
        raw::REDISMODULE_EVENT_PERSISTENCE => Some(Event::SavesWholeFile(matches!(
            sub,
            raw::REDISMODULE_SUBEVENT_PERSISTENCE_SYNC_RDB_START
                | raw::REDISMODULE_SUBEVENT_PERSISTENCE_SYNC_AOF_START
        ))),
        raw::REDISMODULE_EVENT_FORK_CHILD
            if sub == raw::REDISMODULE_SUBEVENT_FORK_CHILD_BORN && replication::is_rewriting() =>
        {
            Some(Event::RewriteBegan)
        }
        _ => None,
    }
}
