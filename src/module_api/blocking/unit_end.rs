//! When a unit ends: one command, one transaction, one script or one function call.
//!
//! Where the server offers it (Redis 7.2, Valkey 8), a post-notification job runs right after the
//! unit, before the next client's command. On Redis 7.0 the server is told that a key is ready. It
//! then calls back for the clients that are blocked on the key, at the same moment, but not where
//! the key is missing by then.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::module_api::context::Ctx;
use crate::module_api::panic_guard::catch_panic_or;
use crate::module_api::server_string::ServerStr;
use crate::module_api::{api, raw};

type Body = fn(Ctx<'_>);

/// Whether a job was added that has not run yet.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Asks the server to call `body`, always the same, when the current unit has ended. False where it
/// cannot.
pub(crate) fn ask(body: Body) -> bool {
    // SAFETY: the table is only read after it was filled.
    let Some(add) = (unsafe { raw::RedisModule_AddPostNotificationJob }) else { return false };
    if !ASKED.load(Ordering::Relaxed) {
        // SAFETY: the detached context lives as long as the process. A function pointer fits the
        // data word, so the job has nothing to free. The server refuses it while it loads and on a
        // replica, where nobody waits.
        let status = unsafe { add(Ctx::detached().raw(), Some(ended), body as *mut c_void, None) };
        ASKED.store(status == raw::REDISMODULE_OK as c_int, Ordering::Relaxed);
    }
    ASKED.load(Ordering::Relaxed)
}

unsafe extern "C" fn ended(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    ASKED.store(false, Ordering::Relaxed);
    catch_panic_or((), || {
        // SAFETY: `ask` put a `Body` there.
        let body = unsafe { std::mem::transmute::<*mut c_void, Body>(data) };
        // SAFETY: the server keeps the context alive for the call.
        body(unsafe { Ctx::new(ctx) });
    });
}

/// Tells the server that the key is ready.
pub(crate) fn signal(ctx: Ctx<'_>, key: ServerStr<'_>) {
    // SAFETY: context and name are alive.
    unsafe { api!(RedisModule_SignalKeyAsReady)(ctx.raw(), key.raw()) };
}
