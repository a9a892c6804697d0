//! One-shot timers. A timer only makes due work happen sooner: no correctness depends on one.
//!
//! The server's own timers are one to two milliseconds late: they count whole milliseconds from the
//! time at which they are started, and one that is started while another fires waits for at least
//! one. So the timers that clients wait for are *on time*: a [`KernelTimer`] is aimed at each. When
//! it expires, the server's timer is started anew with 0 ms, and fires in the same round of the
//! server's loop.

mod kernel_timer;
mod step_back;

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::context::Ctx;
use super::main_thread::MainThread;
use super::panic_guard::catch_panic_or;
use crate::module_api::{api, raw};
use kernel_timer::KernelTimer;

pub use step_back::clock_was_set_back;

/// When to look again while the server is paused, or loads a file.
pub const PAUSED_RETRY_MS: u64 = 20;

/// How soon a timer fires again that was started while it fired. What is due meanwhile and cannot
/// be done must not take the whole of a processor.
const SOON: Duration = Duration::from_micros(50);

/// A running timer.
pub struct Timer {
    id: Rc<Cell<raw::RedisModuleTimerID>>,
}

type Body = fn(Ctx<'_>);

/// A timer at which the kernel's is aimed.
struct Aim {
    at: Instant,
    body: Body,
    id: Rc<Cell<raw::RedisModuleTimerID>>,
}

struct OnTime {
    kernel: Option<KernelTimer>,
    aims: Vec<Aim>,
    /// A timer fires just now.
    firing: bool,
}

static ON_TIME: MainThread<OnTime> =
    MainThread::new(OnTime { kernel: None, aims: Vec::new(), firing: false });

/// Called once, while loading.
pub fn init() {
    let kernel = KernelTimer::start(start_due_anew);
    ON_TIME.with(|on_time| on_time.kernel = kernel);
}

/// Calls `body` once, `after_ms` from now, outside any client's command.
pub fn start(ctx: Ctx<'_>, after_ms: u64, body: Body) -> Timer {
    Timer { id: Rc::new(Cell::new(start_servers(ctx, after_ms, body))) }
}

/// Like [`start`], but not late: when the wall clock shows the millisecond that is `after_ms` from
/// the one that it shows now. A body has one such timer at a time.
pub fn start_on_time(ctx: Ctx<'_>, after_ms: u64, body: Body) -> Timer {
    let timer = start(ctx, after_ms, body);
    ON_TIME.with(|on_time| on_time.aim_at(&timer, after_ms, body));
    timer
}

/// Stops a timer that may have fired already.
pub fn stop(ctx: Ctx<'_>, timer: Timer) {
    ON_TIME.with(|on_time| on_time.aims.retain(|aim| !Rc::ptr_eq(&aim.id, &timer.id)));
    stop_servers(ctx, timer.id.get());
}

impl OnTime {
    fn aim_at(&mut self, timer: &Timer, after_ms: u64, body: Body) {
        // The server itself is on time with a timer of 0 ms, unless another is firing.
        if self.kernel.is_none() || (after_ms == 0 && !self.firing) {
            return;
        }
        let shown = Duration::from_millis(after_ms).saturating_sub(since_the_last_millisecond());
        let aim = Aim { at: Instant::now() + shown.max(SOON), body, id: Rc::clone(&timer.id) };
        self.aims.push(aim);
        self.set_kernel_timer();
    }

    fn set_kernel_timer(&self) {
        if let (Some(kernel), Some(first)) = (&self.kernel, self.aims.iter().map(|aim| aim.at).min()) {
            kernel.set(first.saturating_duration_since(Instant::now()));
        }
    }

    fn take_due(&mut self) -> Vec<Aim> {
        if let Some(kernel) = &self.kernel {
            kernel.read_expiry();
        }
        let now = Instant::now();
        let due = self.aims.extract_if(.., |aim| aim.at <= now).collect();
        self.set_kernel_timer();
        due
    }
}

/// How much of its millisecond the wall clock has passed.
fn since_the_last_millisecond() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_nanos((now.subsec_nanos() % 1_000_000).into())
}

/// The kernel's timer has expired.
fn start_due_anew() {
    let ctx = Ctx::detached();
    for aim in ON_TIME.with(OnTime::take_due) {
        stop_servers(ctx, aim.id.get());
        aim.id.set(start_servers(ctx, 0, aim.body));
    }
}

fn start_servers(ctx: Ctx<'_>, after_ms: u64, body: Body) -> raw::RedisModuleTimerID {
    // A function pointer fits the data word, so nothing needs freeing when a timer is stopped.
    let data = body as *mut c_void;
    let after = i64::try_from(after_ms).unwrap_or(i64::MAX);
    // SAFETY: the context is alive; `fire` matches the type of the callback.
    unsafe { api!(RedisModule_CreateTimer)(ctx.raw(), after, Some(fire), data) }
}

fn stop_servers(ctx: Ctx<'_>, id: raw::RedisModuleTimerID) {
    // SAFETY: the context is alive; an id that is no longer known is answered with an error.
    unsafe { api!(RedisModule_StopTimer)(ctx.raw(), id, std::ptr::null_mut()) };
}

extern "C" fn fire(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    catch_panic_or((), || {
        // SAFETY: `start_servers` put a `Body` there.
        let body = unsafe { std::mem::transmute::<*mut c_void, Body>(data) };
        ON_TIME.with(|on_time| {
            on_time.aims.retain(|aim| !std::ptr::fn_addr_eq(aim.body, body));
            on_time.firing = true;
        });
        // SAFETY: the server keeps the context alive for the call.
        catch_panic_or((), || body(unsafe { Ctx::new(ctx) }));
        ON_TIME.with(|on_time| on_time.firing = false);
    });
}
