//! A server of one's own for one test.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::blocked_client::Waiter;
use super::client::Client;
use super::command::Command;
use super::eventually::eventually;
use super::program::{Process, Program, module};
use super::replication_stream::Stream;
use super::reply::Reply;

/// A running server with the module; as a [`Client`] it is its first connection.
pub struct Server {
    client: Client,
    process: Process,
    directory: Rc<TempDir>,
    options: Vec<String>,
    port: u16,
    /// The test ended it on purpose, so its end is no failure.
    killed: bool,
}

/// How a start has ended.
pub enum Start {
    Runs(Server),
    Refused {
        /// `exit status: 1`, a signal, or [`SPINS`].
        status: String,
        /// The whole log.
        log: String,
    },
}

impl Server {
    /// Starts a server with the module and with options such as `"appendonly yes"`. An option
    /// `"env NAME=value"` is one of its environment.
    pub fn start(options: &[&str]) -> Server {
        let mut all = vec![Self::load_line()];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        Self::launch(all, Rc::new(TempDir::new().expect("a temporary directory")), None)
    }

    /// The line of a configuration that loads the module.
    pub fn load_line() -> String {
        format!("loadmodule {}", module().display())
    }

    /// Starts a server without the module, or with options that load it among others.
    pub fn plain(options: &[&str]) -> Server {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::launch(options, Rc::new(TempDir::new().expect("a temporary directory")), None)
    }

    /// Starts a server with the module on files that lie in its directory before, by name and
    /// content.
    pub fn on_files(options: &[&str], files: &[(&str, &[u8])]) -> Server {
        match Self::try_on_files(options, files) {
            Start::Runs(server) => server,
            Start::Refused { status, log } => panic!("the server did not start ({status}):\n{log}"),
        }
    }

    /// The same, where the server may refuse the files.
    pub fn try_on_files(options: &[&str], files: &[(&str, &[u8])]) -> Start {
        let directory = TempDir::new().expect("a temporary directory");
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        let mut all = vec![Self::load_line()];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        Self::try_launch(all, Rc::new(directory), None)
    }

    fn launch(options: Vec<String>, directory: Rc<TempDir>, wanted_port: Option<u16>) -> Server {
        match Self::try_launch(options, directory, wanted_port) {
            Start::Runs(server) => server,
            Start::Refused { status, log } => panic!("the server did not start ({status}):\n{log}"),
        }
    }

    fn try_launch(options: Vec<String>, directory: Rc<TempDir>, wanted_port: Option<u16>) -> Start {
        let mut wanted_port = wanted_port;
        for _ in 0..20 {
            let port = wanted_port.take().unwrap_or_else(free_port);
            match boot(&options, &directory, port) {
                Boot::Answers(process, client) => {
                    return Start::Runs(Server { client, process, directory, options, port, killed: false });
                }
                Boot::Ended(status) => return Start::Refused { status, log: whole_log(&directory) },
                Boot::PortIsTaken => {}
            }
        }
        panic!("no free port after many tries");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The directory of its data and its log.
    pub fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Another connection (RESP2).
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.port).expect("the server takes connections")
    }

    /// Another connection that speaks RESP3.
    #[track_caller]
    pub fn client3(&self) -> Client {
        let client = self.client();
        client.ok("HELLO 3");
        client
    }

    /// Sends a command on a connection of its own and returns once the server has blocked it.
    #[track_caller]
    pub fn waits(&self, command: impl Command) -> Waiter {
        Waiter::begin(self, command)
    }

    /// Sends a command on a connection of its own; whether it has to wait does not matter.
    #[track_caller]
    pub fn asks(&self, command: impl Command) -> Waiter {
        Waiter::ask(self, command)
    }

    /// Opens the server's own connection anew, after somebody has closed it.
    pub fn reconnect(&mut self) {
        if let Ok(client) = Client::connect(self.port) {
            self.client = client;
        }
    }

    /// What the server replicates from now on.
    pub fn stream(&self) -> Stream {
        Stream::attach(self)
    }

    /// `kill -9`. [`Server::revive`] starts it again.
    pub fn kill(&mut self) {
        self.killed = true;
        self.process.kill();
    }

    /// Waits for a crash that the test has asked for, after which the server can be revived.
    pub fn crashes(&mut self) {
        eventually("the server crashes", || self.process.ended().is_some());
        self.killed = true;
        self.forget_crash();
    }

    /// A crash that the test has asked for, of the server or of its child, is none of those that
    /// fail a test.
    #[track_caller]
    pub fn forget_crash(&self) {
        assert!(crash_in(&self.directory).is_some(), "there was a crash");
        std::fs::write(log_path(&self.directory), "").expect("the log is emptied");
    }

    /// Starts the killed server again, on its directory.
    pub fn revive(&mut self) {
        assert!(self.killed, "only a killed server can be revived");
        let (options, directory) = (self.options.clone(), Rc::clone(&self.directory));
        let revived = Self::launch(options, directory, Some(self.port));
        // The old one is dropped here: its process is gone, so that only its memory is freed.
        *self = revived;
    }

    /// `kill -9` and a new start on what was on disk.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        self.revive();
    }

    /// An orderly SHUTDOWN and a new start on what it left on disk.
    pub fn restart(&mut self) {
        let _ = self.client.try_send_bytes(b"SHUTDOWN\r\n");
        eventually("the server shuts down", || self.process.ended().is_some());
        self.killed = true;
        self.revive();
    }

    /// An orderly SHUTDOWN without a new start.
    pub fn shuts_down(&mut self) {
        let _ = self.client.try_send_bytes(b"SHUTDOWN\r\n");
        eventually("the server shuts down", || self.process.ended().is_some());
        self.killed = true;
    }

    /// Ends the server by this SHUTDOWN and starts one with other options on what is on disk.
    pub fn restart_as(&mut self, shutdown: &str, options: &[&str]) {
        let _ = self.client.try_send_bytes(format!("{shutdown}\r\n").as_bytes());
        eventually("the server shuts down", || self.process.ended().is_some());
        self.killed = true;
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self.revive();
    }

    /// A replica of this server, in step with it.
    pub fn replica(&self, options: &[&str]) -> Server {
        let mut all: Vec<String> =
            self.options.iter().filter(|option| option.starts_with("loadmodule ")).cloned().collect();
        all.push(format!("replicaof 127.0.0.1 {}", self.port));
        all.extend(options.iter().map(|option| (*option).to_owned()));
        let replica = Self::launch(all, Rc::new(TempDir::new().expect("a temporary directory")), None);
        self.in_step_with(&replica);
        replica
    }

    /// Waits until `replica` has applied all that this server has replicated.
    #[track_caller]
    pub fn in_step_with(&self, replica: &Client) {
        eventually("the replica is in step", || {
            replica.info("master_link_status") == "up"
                && replica.info("slave_repl_offset") == self.info("master_repl_offset")
        });
    }

    /// The last lines of the log.
    pub fn log_tail(&self) -> String {
        log_tail(&self.directory)
    }

    /// Fails unless the server still answers and has reported no crash.
    #[track_caller]
    pub fn lives(&self) {
        self.ok("PING").is(super::status("PONG"));
        if let Some(word) = crash_in(&self.directory) {
            panic!("the log says {word}:\n{}", self.log_tail());
        }
    }

    /// How the server came to its end, if it did without being killed by the test.
    fn died(&mut self) -> Option<String> {
        if self.killed {
            return None;
        }
        if let Some(word) = crash_in(&self.directory) {
            return Some(word.to_owned());
        }
        // A dying process closes its connections a moment before it can be waited for.
        let closed = loop {
            match self.client.try_read(Duration::from_millis(1)) {
                Ok(_) => {}
                Err(error) => break !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        };
        let begun = Instant::now();
        while closed && self.process.ended().is_none() && begun.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.process.ended()
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let died = self.died();
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the server on port {}\n{}", self.port, self.log_tail());
        } else if let Some(how) = died {
            panic!("the server died ({how}):\n{}", self.log_tail());
        }
    }
}

/// What a server says of a value of a module behind which the mark of its end is another one. It
/// then checks the file by itself, which has no end where no such mark follows (redis issue 15034).
const WITHOUT_END_MARK: &str = "is not terminated by the proper module value EOF marker";

/// How such a start is told to have ended: by the test.
pub const SPINS: &str = "spins in the server's own check of the file";

/// What has become of a process.
enum Boot {
    Answers(Process, Client),
    Ended(String),
    PortIsTaken,
}

/// Starts one process and waits until it answers or ends.
fn boot(options: &[String], directory: &TempDir, port: u16) -> Boot {
    let mut arguments: Vec<String> = vec!["--port".into(), port.to_string()];
    arguments.extend(["--bind", "127.0.0.1", "--save", ""].map(String::from));
    arguments.extend(["--enable-debug-command", "yes", "--enable-module-command", "yes"].map(String::from));
    arguments.extend(["--dir".into(), directory.path().display().to_string()]);
    arguments
        .extend(["--repl-diskless-sync-delay", "0", "--hz", "100", "--dynamic-hz", "no"].map(String::from));
    let mut environment = Vec::new();
    for option in options {
        if let Some((name, value)) = option.strip_prefix("env ").and_then(|pair| pair.split_once('=')) {
            environment.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let mut words = option.split_whitespace().map(String::from);
        arguments.push(format!("--{}", words.next().expect("an option has a name")));
        arguments.extend(words);
    }
    let mut process =
        Program::found().start(&arguments, &environment, directory.path(), &log_path(directory));
    let mut answered = None;
    let mut ended = None;
    let mut told = None;
    eventually("the server starts", || {
        ended = process.ended();
        if ended.is_none() {
            answered = ready(directory, port);
        }
        if told.is_none() && answered.is_none() && whole_log(directory).contains(WITHOUT_END_MARK) {
            told = Some(Instant::now());
        }
        // Most often it ends at once.
        if ended.is_none() && told.is_some_and(|told| told.elapsed() > Duration::from_secs(2)) {
            process.kill();
            ended = Some(SPINS.to_owned());
        }
        ended.is_some() || answered.is_some()
    });
    match (answered, ended) {
        (Some(client), _) => Boot::Answers(process, client),
        _ if log_tail(directory).contains("Address already in use") => Boot::PortIsTaken,
        (None, status) => Boot::Ended(status.unwrap_or_default()),
    }
}

/// A connection to the server on `port` if it has loaded and is the one of this directory.
fn ready(directory: &TempDir, port: u16) -> Option<Client> {
    let client = Client::connect(port).ok()?;
    // A server that is stuck takes connections and answers nothing.
    client.try_send_bytes(b"CONFIG GET dir\r\n").ok()?;
    let shown = client.try_read(Duration::from_secs(2)).ok()?;
    let own = fs::canonicalize(directory.path()).ok()?;
    let is_own = !shown.is_error() && fs::canonicalize(shown.field("dir").text()).ok()? == own;
    let is_loaded = matches!(client.try_call("DBSIZE"), Ok(Reply::Int(_)));
    (is_own && is_loaded).then_some(client)
}

/// The word by which the log tells of a crash.
fn crash_in(directory: &TempDir) -> Option<&'static str> {
    let log = fs::read(log_path(directory)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    ["ASSERTION FAILED", "crashed by signal", "BUG REPORT"].into_iter().find(|word| log.contains(word))
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("server.log")
}

fn whole_log(directory: &TempDir) -> String {
    let log = fs::read(log_path(directory)).unwrap_or_default();
    String::from_utf8_lossy(&log).into_owned()
}

fn log_tail(directory: &TempDir) -> String {
    let log = whole_log(directory);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A loopback port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("a bound listener has an address").port()
}
