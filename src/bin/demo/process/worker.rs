//! The worker, with this very binary as its handler.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::frontend::QUEUE;
use crate::process::Process;
use crate::process::server::{quoted, shown};
use crate::process::temp_dir::TempDir;

/// How long handlers may go on when the worker is stopped.
const GRACE: &str = "5s";

/// The worker's grace and a little more.
const STOPS_WITHIN: Duration = Duration::from_secs(7);

#[derive(Debug)]
pub struct Worker {
    pub process: Process,
    /// As a reader would type it.
    pub command_line: String,
}

impl Worker {
    pub fn start(worker: &Path, url: &str, concurrency: u16, folder: &TempDir) -> Result<Self, String> {
        let handler =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let (runs, loads) = (folder.file("runs"), folder.file("loads"));
        let exec = format!(
            "exec {} handler --runs {} --loads {}",
            quoted(&handler.to_string_lossy()),
            quoted(&runs.to_string_lossy()),
            quoted(&loads.to_string_lossy())
        );
        let mut command = Command::new(worker);
        command
            .args(["work", "--redis", url, "--queue", QUEUE, "--concurrency", &concurrency.to_string()])
            .args(["--grace", GRACE, "--exec", &exec])
            .env_remove("WORKGATE_LOG");
        let command_line = shown(&command);
        let process = Process::start("the worker", &mut command, folder.file("worker.log"), STOPS_WITHIN)?;
        Ok(Worker { process, command_line })
    }

    /// Stops it as an init system would; an error unless it ends cleanly.
    pub fn stop(&mut self) -> Result<(), String> {
        match self.process.stop() {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!(
                "the worker ended with {status}; its log ends with:\n{}",
                self.process.log_tail()
            )),
            None => Err("the worker's end could not be waited for".into()),
        }
    }
}
