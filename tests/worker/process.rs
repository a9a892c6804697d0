//! A worker as its own process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::chance::Chance;
use crate::support::DEADLINE;

/// A worker whose handler writes a line `queue id` for every job that it runs.
pub struct Worker {
    child: Child,
    folder: TempDir,
}

impl Worker {
    /// `after` is run by the handler once it has written its line.
    pub fn start(url: &str, flags: &str, after: &str) -> Worker {
        let folder = TempDir::new().expect("a temporary directory");
        let handler =
            format!("echo $WORKGATE_QUEUE $WORKGATE_ID >>{}; {after}", ran(folder.path()).display());
        let child = Command::new(env!("CARGO_BIN_EXE_workgate"))
            .args(["work", "--redis", url, "--exec", &handler])
            .args(flags.split(' '))
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("the worker starts");
        Worker { child, folder }
    }

    /// With these flags and no others, of which one says what the handler is.
    pub fn run(url: &str, flags: &[&str]) -> Worker {
        Self::run_in(&[], url, flags)
    }

    /// With these variables in its environment.
    pub fn run_in(variables: &[(&str, &str)], url: &str, flags: &[&str]) -> Worker {
        let folder = TempDir::new().expect("a temporary directory");
        let child = Command::new(env!("CARGO_BIN_EXE_workgate"))
            .args(["work", "--redis", url])
            .args(flags)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("the worker starts");
        Worker { child, folder }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it lives");
    }

    /// `kill -9` of one of the processes that it has started, if there is one in this moment.
    pub fn kill_a_handler(&self, chance: &mut Chance) {
        let pids = descendants(self.child.id());
        if !pids.is_empty() {
            let pid = pids[chance.below(pids.len() as u64) as usize];
            // One that has just ended is as dead.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// The status that it ended with, once it has.
    #[track_caller]
    pub fn status(&mut self) -> Option<i32> {
        self.ends();
        self.child.wait().ok().and_then(|status| status.code())
    }

    /// What has been run up to now, `queue id` each, in order.
    pub fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(ran(self.folder.path())).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let child = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(child, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Waits until it ends by itself; whether that was with success.
    #[track_caller]
    pub fn ends(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < 2 * DEADLINE {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the worker has not ended:\n{}", self.log());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the worker's log:\n{}", self.log());
        }
    }
}

/// The processes below this one that have none below them.
fn descendants(pid: u32) -> Vec<rustix::process::Pid> {
    let mut leaves = Vec::new();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()) {
            let below = descendants(child);
            if below.is_empty() {
                leaves.extend(rustix::process::Pid::from_raw(child as i32));
            } else {
                leaves.extend(below);
            }
        }
    }
    leaves
}

fn ran(folder: &Path) -> PathBuf {
    folder.join("ran")
}
