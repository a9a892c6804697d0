//! What the pages tell a reader to type at a shell.
//!
//! A block fenced as `sh` is run, with `sh -eu`, in a folder that the blocks of its page share. The
//! folder holds `examples/`, descriptor 3 is open as it is for a handler, and REDIS_URL names the
//! server. The page has a server of its own: `6379` in the text is replaced by its port. A comment
//! on the line above the fence says what is special:
//!
//! ```text
//! <!-- shell: until TEXT -->        the block goes on for ever; it is stopped once it has printed TEXT
//! <!-- shell: run by .ci/run -->    every line of the block is run by .ci/run
//! <!-- shell: not run, WHY -->      it cannot be run here
//! ```

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Program, Server, module};

/// Longer than any block takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq)]
pub enum Handling {
    Run,
    Until(String),
    ByCi,
    NotRun,
}

pub struct Block {
    /// Of the fence, counted from 1.
    pub line: usize,
    pub handling: Handling,
    pub text: String,
}

impl Block {
    /// All `sh` blocks of a page; the error names a comment that is not understood.
    pub fn of(page: &str) -> Result<Vec<Block>, String> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        let mut in_shell = false;
        let mut above = "";
        for (index, line) in page.lines().map(str::trim_start).enumerate() {
            if line.starts_with("```") {
                open = !open;
                in_shell = open && line == "```sh";
                if in_shell {
                    let handling = handling(above).map_err(|text| format!("line {index}: {text}"))?;
                    blocks.push(Block { line: index + 1, handling, text: String::new() });
                }
            } else if let (true, Some(block)) = (in_shell, blocks.last_mut()) {
                block.text.push_str(line);
                block.text.push('\n');
            }
            above = line;
        }
        Ok(blocks)
    }

    /// The commands of the block, without comments and empty lines.
    fn commands(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .map(|line| line.split(" #").next().unwrap_or_default().trim())
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
    }
}

fn handling(above: &str) -> Result<Handling, String> {
    let Some(text) = above.strip_prefix("<!-- shell: ").and_then(|rest| rest.strip_suffix(" -->")) else {
        return Ok(Handling::Run);
    };
    match text.split_once(' ') {
        _ if text == "run by .ci/run" => Ok(Handling::ByCi),
        Some(("until", text)) => Ok(Handling::Until(text.to_owned())),
        Some(("not", why)) if why.starts_with("run, ") => Ok(Handling::NotRun),
        _ => Err(format!("'{text}' is none of: until TEXT, run by .ci/run, not run, WHY")),
    }
}

/// Where the blocks of one page run.
pub struct Shell {
    folder: TempDir,
    programs: PathBuf,
    server: Server,
    web_port: String,
}

impl Shell {
    pub fn beside(server: Server) -> Shell {
        let folder = TempDir::new().expect("a temporary folder");
        let programs = folder.path().join(".programs");
        fs::create_dir(&programs).expect("a folder for programs");
        let Program::Path(redis) = Program::found() else {
            panic!("a page's shell lines start a server of this machine, not a container");
        };
        // A server that a page starts takes any free port, so that pages do not collide.
        let start = format!("exec {} \"$@\" --port 0 --unixsocket \"$PWD/socket\"", redis.display());
        write_program(&programs.join("redis-server"), &start);
        let client = format!("exec {} -p {} \"$@\"", redis_cli().display(), server.port());
        write_program(&programs.join("redis-cli"), &client);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_workgate"), programs.join("workgate"))
            .expect("a link");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        std::os::unix::fs::symlink(examples, folder.path().join("examples")).expect("a link");
        let target = folder.path().join("target/release");
        fs::create_dir_all(&target).expect("a folder for the module");
        std::os::unix::fs::symlink(module(), target.join("libworkgate.so")).expect("a link");
        Shell { folder, programs, server, web_port: free_port().to_string() }
    }

    /// Runs one block; the error says what it printed.
    pub fn run(&self, block: &Block) -> Result<(), String> {
        match &block.handling {
            Handling::NotRun => Ok(()),
            Handling::ByCi => run_by_ci(block),
            Handling::Run => self.execute(block, None),
            Handling::Until(text) => self.execute(block, Some(text)),
        }
    }

    fn execute(&self, block: &Block, until: Option<&str>) -> Result<(), String> {
        let output = self.folder.path().join(".output");
        let file = File::create(&output).expect("a file for the output");
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap_or_default());
        let text =
            block.text.replace("6379", &self.server.port().to_string()).replace("9464", &self.web_port);
        let text = format!("exec 3>.verdict\n{text}");
        let child = Command::new("sh")
            .args(["-eu", "-c", &text])
            .env("REDIS_URL", self.server.url())
            .current_dir(self.folder.path())
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut group = Group(child);
        let deadline = Instant::now() + LIMIT;
        loop {
            let printed = String::from_utf8_lossy(&fs::read(&output).unwrap_or_default()).into_owned();
            let ended = group.0.try_wait().expect("the shell's state");
            match (until, ended) {
                (Some(text), _) if printed.contains(text) => return Ok(()),
                (None, Some(status)) if status.success() => return Ok(()),
                (_, Some(status)) => return Err(format!("{status}\n{}\nprinted:\n{printed}", block.text)),
                (_, None) if Instant::now() > deadline => {
                    return Err(format!("it did not end\n{}\nprinted:\n{printed}", block.text));
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// A shell and all that it started; they end with this value.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn write_program(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).expect("a program");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a program that may be run");
}

/// The first `redis-cli` or `valkey-cli` of the PATH.
fn redis_cli() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let programs = ["redis-cli", "valkey-cli"].into_iter();
    programs
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .expect("redis-cli or valkey-cli, which the pages use")
}

fn run_by_ci(block: &Block) -> Result<(), String> {
    let gate = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect(".ci/run");
    let runs = |command: &str| gate.lines().any(|line| line.trim() == command);
    match block.commands().find(|command| !runs(command)) {
        Some(missing) => Err(format!("'{missing}' is not in .ci/run")),
        None => Ok(()),
    }
}
