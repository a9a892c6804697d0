//! One timer of the kernel in the server's event loop, exact to some microseconds.

#[cfg(target_os = "linux")]
pub(crate) use linux::KernelTimer;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::KernelTimer;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{c_int, c_void};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::time::Duration;

    use rustix::io::read;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };

    use crate::module_api::panic_guard::catch_panic_or;
    use crate::module_api::{api, raw};

    /// `REDISMODULE_EVENTLOOP_READABLE`.
    const READABLE: c_int = 1;

    /// A time of zero would stop the timer.
    const SOONEST: Duration = Duration::from_micros(1);

    type OnExpiry = fn();

    pub(crate) struct KernelTimer(OwnedFd);

    impl KernelTimer {
        /// Calls `on_expiry` outside any client's command, each time it expires. `None` where the
        /// system has no such timer.
        pub fn start(on_expiry: OnExpiry) -> Option<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let file = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            // A function pointer fits the data word, so nothing needs freeing.
            let data = on_expiry as *mut c_void;
            // SAFETY: the file stays open for the life of the process; `expired` matches the type.
            let added =
                unsafe { api!(RedisModule_EventLoopAdd)(file.as_raw_fd(), READABLE, Some(expired), data) };
            (added == raw::REDISMODULE_OK as c_int).then_some(KernelTimer(file))
        }

        /// Expires once, after a time from now, and not when it was to do so before.
        pub fn set(&self, after: Duration) {
            let after = after.max(SOONEST);
            let never = Timespec { tv_sec: 0, tv_nsec: 0 };
            let at = Timespec { tv_sec: after.as_secs() as i64, tv_nsec: after.subsec_nanos().into() };
            let once = Itimerspec { it_interval: never, it_value: at };
            // Where it fails, the server's own timer fires, a little late.
            let _ = timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once);
        }

        /// The loop finds it readable until somebody has read how often it has expired.
        pub fn read_expiry(&self) {
            let _ = read(&self.0, &mut [0u8; 8]);
        }
    }

    extern "C" fn expired(_: c_int, data: *mut c_void, _: c_int) {
        catch_panic_or((), || {
            // SAFETY: `start` put an `OnExpiry` there.
            let on_expiry = unsafe { std::mem::transmute::<*mut c_void, OnExpiry>(data) };
            on_expiry();
        });
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::time::Duration;

    /// There is none: timers are those of the server.
    pub(crate) enum KernelTimer {}

    impl KernelTimer {
        pub fn start(_: fn()) -> Option<Self> {
            None
        }

        pub fn set(&self, _: Duration) {
            match *self {}
        }

        pub fn read_expiry(&self) {
            match *self {}
        }
    }
}
