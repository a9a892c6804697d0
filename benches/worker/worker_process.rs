//! The worker, as its own process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::resp::Connection;
use crate::support::server::{Server, processor_time};

/// How long the jobs of one measurement may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The worker that was built beside this benchmark, or `--worker`.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

pub fn choose(program: PathBuf) {
    // The last of several counts as little as the first.
    let _ = PROGRAM.set(program);
}

fn program() -> &'static Path {
    PROGRAM.get().map_or(Path::new(env!("CARGO_BIN_EXE_workgate")), PathBuf::as_path)
}

/// Killed when dropped.
pub struct Worker(Child);

impl Worker {
    pub fn start(server: &Server, level: &str, flags: &[&str]) -> Result<Self, String> {
        let url = format!("redis://127.0.0.1:{}", server.port);
        let mut command = Command::new(program());
        command.args(["--log", level, "work", "--redis", &url, "--queue", "q"]).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if level != "warn" {
            let log = std::env::temp_dir().join(format!("workgate-bench-log-{}", std::process::id()));
            let file = std::fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
            // Its blocks are freed with the last process that writes to it.
            let _ = std::fs::remove_file(&log);
            command.stderr(file);
        }
        command.spawn().map(Worker).map_err(|error| format!("cannot start the worker: {error}"))
    }

    /// CPU time of all its threads, in nanoseconds.
    pub fn cpu(&self) -> Result<u64, String> {
        processor_time(self.0.id())
    }

    /// Waits until it has ended; what it has printed.
    pub fn end(mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().ok_or("the worker has no output")?;
        std::io::Read::read_to_string(&mut stdout, &mut text).map_err(|error| error.to_string())?;
        match self.0.wait() {
            Ok(status) if status.success() => Ok(text),
            other => Err(format!("the worker ended so: {other:?}")),
        }
    }

    /// Sends SIGTERM and waits for its end.
    pub fn stop(self) -> Result<String, String> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .map_err(|error| error.to_string())?;
        self.end()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A count of JOBQ.STATS.
pub fn count(control: &mut Connection, name: &str) -> Result<usize, String> {
    let stats = control.call(&[b"JOBQ.STATS", b"q"])?;
    let at = (0..stats.len()).step_by(2).find(|at| stats.at(*at).text() == name);
    let at = at.ok_or_else(|| format!("JOBQ.STATS has no {name}"))?;
    Ok(stats.at(at + 1).int() as usize)
}

/// Waits until so many jobs have been acknowledged since the queue began.
pub fn acked(control: &mut Connection, jobs: usize) -> Result<(), String> {
    let begun = Instant::now();
    while count(control, "acked")? < jobs {
        if begun.elapsed() > PATIENCE {
            return Err(format!("{jobs} jobs were not done within {} s", PATIENCE.as_secs()));
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}
