//! Signals to a handler's whole process group.

use rustix::io::Errno;
use rustix::process::{Pid, kill_process_group};

/// What a group is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it may clean up.
    Term,
    /// SIGKILL: it ends at once.
    Kill,
}

/// Signals every process of the group; one that is gone is no error.
pub fn signal(group: u32, signal: Signal) {
    let Some(pid) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    let sent = match signal {
        Signal::Term => kill_process_group(pid, rustix::process::Signal::TERM),
        Signal::Kill => kill_process_group(pid, rustix::process::Signal::KILL),
    };
    match sent {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::error!("cannot signal the process group {group}: {error}"),
    }
}
