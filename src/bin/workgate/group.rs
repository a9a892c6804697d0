//! Signals to a handler's whole process group.

use std::process::Stdio;

use tokio::process::Command;

/// What a group is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: it may clean up.
    Term,
    /// SIGKILL: it ends at once.
    Kill,
}

/// Signals every process of the group; one that is gone is no error.
///
/// Through the shell's `kill`, as the system call is not reachable from safe code of the standard
/// library; this happens when a handler is stopped, not for every job.
pub async fn signal(group: u32, signal: Signal) {
    let name = match signal {
        Signal::Term => "TERM",
        Signal::Kill => "KILL",
    };
    let sent = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$0\" -- \"-$1\"", name, &group.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    if let Err(error) = sent {
        tracing::error!("cannot signal the process group {group}: {error}");
    }
}
