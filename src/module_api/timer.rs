//! One-shot timers. A timer only makes due work happen sooner: no correctness depends on one.

use std::ffi::c_void;
use std::time::{Duration, Instant};

use super::context::Ctx;
use super::main_thread::MainThread;
use super::panic_guard::catch_panic_or;
use crate::module_api::{api, raw};

/// When to look again while the server is paused, or loads a file.
pub const PAUSED_RETRY_MS: u64 = 20;

/// A running timer.
pub struct Timer {
    id: raw::RedisModuleTimerID,
}

type Body = fn(Ctx<'_>);

/// Calls `body` once, `after_ms` from now, outside any client's command.
pub fn start(ctx: Ctx<'_>, after_ms: u64, body: Body) -> Timer {
    // A function pointer fits the data word, so nothing needs freeing when a timer is stopped.
    let data = body as *mut c_void;
    let after = i64::try_from(after_ms).unwrap_or(i64::MAX);
    // SAFETY: the context is alive; `fire` matches the type of the callback.
    let id = unsafe { api!(RedisModule_CreateTimer)(ctx.raw(), after, Some(fire), data) };
    Timer { id }
}

/// Stops a timer that may have fired already.
pub fn stop(ctx: Ctx<'_>, timer: Timer) {
    // SAFETY: the context is alive; an id that is no longer known is answered with an error.
    unsafe { api!(RedisModule_StopTimer)(ctx.raw(), timer.id, std::ptr::null_mut()) };
}

extern "C" fn fire(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    catch_panic_or((), || {
        // SAFETY: `start` put a `Body` there.
        let body = unsafe { std::mem::transmute::<*mut c_void, Body>(data) };
        // SAFETY: the server keeps the context alive for the call.
        body(unsafe { Ctx::new(ctx) });
    });
}

/// A step back below this is not told from the clock's own corrections and from a round that was
/// late.
const LEAST_STEP_BACK: Duration = Duration::from_millis(500);

/// Both clocks at the last look.
static LAST_LOOK: MainThread<Option<(Instant, u64)>> = MainThread::new(None);

/// Whether the server's clock, which says `now`, was set back since the last look. Its timers go by
/// that clock: those that were started before fire late by as much.
pub fn clock_was_set_back(now_ms: u64) -> bool {
    let look = (Instant::now(), now_ms);
    let Some((at, clock)) = LAST_LOOK.with(|last| last.replace(look)) else { return false };
    let should_be = Duration::from_millis(clock) + look.0.duration_since(at);
    Duration::from_millis(now_ms) + LEAST_STEP_BACK < should_be
}
