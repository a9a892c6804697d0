//! A process that ends with its guard.

pub mod dashboard;
pub mod server;
pub mod temp_dir;
pub mod worker;

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Between looks whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A child process; dropping it stops it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// How long it may take to end by itself.
    patience: Duration,
}

impl Process {
    /// Starts it with its output going to `log`, apart from the terminal's Ctrl-C: the demo stops
    /// what it started in its own order.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        log: PathBuf,
        patience: Duration,
    ) -> Result<Self, String> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| format!("{}: {error}", log.display()))?;
        let again = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
        Ok(Process { name, child, log, patience })
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error with the log's end if it is no longer running.
    pub fn still_runs(&mut self) -> Result<(), String> {
        match self.ended() {
            None => Ok(()),
            Some(status) => {
                Err(format!("{} ended ({status}); its log ends with:\n{}", self.name, self.log_tail()))
            }
        }
    }

    /// The last lines of its log, indented.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// SIGTERM, once more when its patience is over (the worker then kills its handlers), then
    /// SIGKILL.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        for patience in [self.patience, Duration::from_secs(2)] {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            terminate(self.child.id());
            let begun = Instant::now();
            while begun.elapsed() < patience {
                if let Some(status) = self.ended() {
                    return Some(status);
                }
                thread::sleep(LOOK_EVERY);
            }
        }
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A process that has ended meanwhile is no error.
        let _ = kill_process(pid, Signal::TERM);
    }
}

fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, folder: &tempfile::TempDir, patience: Duration) -> Process {
        let log = folder.path().join("log");
        Process::start("the script", Command::new("/bin/sh").args(["-c", script]), log, patience).unwrap()
    }

    fn wait_for_log(process: &Process) {
        while process.log_tail().is_empty() {
            thread::sleep(LOOK_EVERY);
        }
    }

    #[test]
    fn a_process_that_ended_by_itself_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = start("echo bad config; exit 3", &folder, Duration::from_secs(5));
        while process.ended().is_none() {
            thread::sleep(LOOK_EVERY);
        }
        let error = process.still_runs().unwrap_err();
        assert!(
            error.contains("the script")
                && error.contains("exit status: 3")
                && error.contains("    bad config"),
            "{error}"
        );
    }

    #[test]
    fn a_process_ends_by_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = start(
            "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
            &folder,
            Duration::from_secs(9),
        );
        wait_for_log(&process);
        assert!(process.still_runs().is_ok());
        assert_eq!(process.stop().and_then(|status| status.code()), Some(7));
    }

    #[test]
    fn dropping_ends_even_one_that_ignores_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let process = start(
            "trap '' TERM; echo ready; while :; do sleep 0.05; done",
            &folder,
            Duration::from_millis(50),
        );
        wait_for_log(&process);
        let pid = process.child.id();
        drop(process);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
}
