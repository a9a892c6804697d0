//! `workgate serve` or `workgate work` as its own process.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::http::{Answer, ask};
use crate::support::eventually;

/// It listens at a port that the system has chosen.
pub struct Served {
    child: Child,
    folder: TempDir,
    pub port: u16,
}

impl Served {
    /// `workgate serve` with these flags.
    #[track_caller]
    pub fn start(url: &str, flags: &[&str]) -> Served {
        Self::run(&[&["serve", "--redis", url, "--listen", "127.0.0.1:0"], flags].concat())
    }

    /// `workgate WORDS`, of which one is `--listen` with port 0.
    #[track_caller]
    pub fn run(words: &[&str]) -> Served {
        Self::run_in(&[], words)
    }

    /// With these variables in its environment.
    pub fn run_in(variables: &[(&str, &str)], words: &[&str]) -> Served {
        let folder = TempDir::new().expect("a temporary directory");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_workgate"))
            .args(words)
            .env_remove("WORKGATE_LOG")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("workgate starts");
        let mut served = Served { child, folder, port: 0 };
        eventually("it listens", || {
            if let Some(status) = served.child.try_wait().expect("a child") {
                panic!("it has ended, {status}:\n{}", served.log());
            }
            let log = served.log();
            let port = log.split_once("listening on http://127.0.0.1:").map(|(_, rest)| rest);
            served.port = port.and_then(|rest| rest.split_once('/')?.0.parse().ok()).unwrap_or(0);
            served.port != 0
        });
        served
    }

    /// A worker of the queue `mails` that shows metrics and has done a job.
    pub fn worker_with_a_job_done(url: &str) -> Self {
        let words = ["work", "--redis", url, "--queue", "mails", "--exec", "true", "--listen", "0"];
        let worker = Served::run(&words);
        eventually("a job is done", || worker.get("/metrics").body.contains(r#"outcome="done""#));
        worker
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn get(&self, path: &str) -> Answer {
        ask(self.port, "GET", path, &[], "")
    }

    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it lives");
    }

    /// Waits for its end; its status.
    #[track_caller]
    pub fn status(&mut self) -> Option<i32> {
        let mut ended = None;
        eventually("it ends", || {
            ended = self.child.try_wait().expect("a child");
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of workgate:\n{}", self.log());
        }
    }
}
