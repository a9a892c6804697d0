//! A server with the module, started for a run and ended with it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::resp::Connection;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    Off,
    /// `appendonly yes`, `appendfsync everysec`
    EverySecond,
}

pub struct Server {
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

impl Server {
    pub fn start(
        program: &Path,
        modules: &[impl AsRef<Path>],
        persistence: Persistence,
    ) -> Result<Self, String> {
        Server::launch(Command::new(program), modules, persistence)
    }

    /// Under callgrind, which writes to `output` when the server ends. `clock` is preloaded.
    pub fn counted(
        program: &Path,
        modules: &[impl AsRef<Path>],
        persistence: Persistence,
        clock: &Path,
        output: &Path,
    ) -> Result<Self, String> {
        let mut valgrind = Command::new("valgrind");
        valgrind
            .env("LD_PRELOAD", clock)
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", output.display()))
            .arg(program);
        Server::launch(valgrind, modules, persistence)
    }

    fn launch(
        mut command: Command,
        modules: &[impl AsRef<Path>],
        persistence: Persistence,
    ) -> Result<Self, String> {
        let port = free_port()?;
        let folder = std::env::temp_dir().join(format!("workgate-bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let append = if persistence == Persistence::Off { "no" } else { "yes" };
        let child = command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", append])
            .arg("--dir")
            .arg(&folder)
            // What it has freed it keeps: the machine that takes and gives memory is not what is
            // measured. A server that was built with its own jemalloc reads the second name.
            .envs(["MALLOC_CONF", "JE_MALLOC_CONF"].map(|name| (name, "dirty_decay_ms:-1,muzzy_decay_ms:-1")))
            // DEBUG RELOAD, to time it.
            .args(["--enable-debug-command", "yes"])
            .args(modules.iter().flat_map(|module| [Path::new("--loadmodule"), module.as_ref()]))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", command.get_program().display()))?;
        let mut server = Server { child, port, folder };
        let begun = Instant::now();
        // A server may listen before it has looked for a file to load: then it answers LOADING.
        let answers = || Connection::open(port).is_ok_and(|mut server| server.call(&[b"PING"]).is_ok());
        while !answers() {
            if let Ok(Some(status)) = server.child.try_wait() {
                let program = command.get_program().display();
                return Err(format!(
                    "{program} ended at once ({status}); are the paths of modules absolute?"
                ));
            }
            if begun.elapsed() > Duration::from_secs(60) {
                return Err(format!("{} does not answer on port {port}", command.get_program().display()));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub fn connect(&self) -> Result<Connection, String> {
        Connection::open(self.port)
    }

    /// Ends it in good order; it is done when this returns.
    pub fn shut_down(&mut self) -> Result<(), String> {
        // The server closes the connection instead of answering.
        let _ = self.connect()?.call(&[b"SHUTDOWN", b"NOSAVE"]);
        self.child.wait().map(drop).map_err(|error| format!("waiting for the server: {error}"))
    }

    /// Bytes of the RDB file that was saved last.
    pub fn snapshot_size(&self) -> Result<u64, String> {
        let path = self.folder.join("dump.rdb");
        let size = fs::metadata(&path).map(|file| file.len());
        size.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// CPU time that the server's main thread has used, in nanoseconds.
    pub fn cpu(&self) -> Result<u64, String> {
        let pid = self.child.id();
        thread_time(&format!("/proc/{pid}/task/{pid}/schedstat"))
    }

    /// As INFO says it, such as `Redis 7.0.15`.
    pub fn version(&self) -> Result<String, String> {
        let info = self.connect()?.call(&[b"INFO", b"server"])?.text();
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(match (field("valkey_version"), field("redis_version")) {
            (Some(version), _) => format!("Valkey {version}"),
            (None, version) => format!("Redis {}", version.unwrap_or("of unknown version")),
        })
    }
}

pub fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
}

/// CPU time of all threads of a process, in nanoseconds.
#[allow(dead_code)] // not every benchmark has such a process
pub fn processor_time(pid: u32) -> Result<u64, String> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    threads
        .map(|thread| {
            let thread = thread.map_err(|error| format!("{folder}: {error}"))?;
            thread_time(&format!("{}/schedstat", thread.path().display()))
        })
        .sum()
}

fn thread_time(path: &str) -> Result<u64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    text.split(' ').next().and_then(|word| word.parse().ok()).ok_or(format!("{path} reads '{text}'"))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
