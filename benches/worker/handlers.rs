//! Jobs a second by each kind of handler.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::million::push;
use crate::support::server::Server;
use crate::worker_process::{Worker, acked};

pub struct Rate {
    pub name: &'static str,
    pub flags: String,
    pub rate: f64,
    /// The server's µs a job, from its push to its end.
    pub server_us: f64,
    pub bar: f64,
}

pub struct Rates {
    pub ours: Vec<Rate>,
    /// Workers of others in Python, by name; those that are missing were not measured.
    pub python_rivals: Vec<PythonRate>,
}

/// A worker of another in Python, with a handler that does nothing, 100 at once.
pub struct PythonRate {
    pub name: &'static str,
    /// Jobs a second, and the server's µs a job, from its push to its end.
    pub measured: Option<(f64, f64)>,
}

/// How many jobs they run.
const RIVALS_JOBS: usize = 10_000;

/// The name of one on the command line and that of its script, and its name in the page.
const PYTHON_RIVALS: [(&str, &str); 3] =
    [("bullmq", "a BullMQ worker in Python"), ("arq", "an arq worker"), ("saq", "a SAQ worker")];

struct Kind {
    name: &'static str,
    flags: Vec<String>,
    jobs: usize,
    bar: f64,
}

/// `packages` has the folders of packages of others, by name.
pub fn measure(server: &Server, packages: &[(String, PathBuf)]) -> Result<Rates, String> {
    let web = Web::start()?;
    let root = env!("CARGO_MANIFEST_DIR");
    let python = format!("python3 {root}/benches/worker/null_handler.py");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let kinds = [
        Kind {
            name: "`--stdio`, Python, 250 jobs a line",
            flags: words(&["--stdio", &python, "--concurrency", "2", "--batch", "250"]),
            jobs: 100_000,
            bar: 25_000.0,
        },
        Kind {
            name: "`--stdio`, Python, singly",
            flags: words(&["--stdio", &python, "--concurrency", "8"]),
            jobs: 30_000,
            bar: 8_000.0,
        },
        Kind {
            name: "`--http`",
            flags: words(&["--http", &web.url, "--concurrency", "50"]),
            jobs: 30_000,
            bar: 8_000.0,
        },
        Kind {
            name: "`--exec true`",
            flags: words(&["--exec", "true", "--concurrency", "8"]),
            jobs: 4_000,
            bar: 1_000.0,
        },
    ];
    let ours = kinds.iter().map(|kind| one(server, kind)).collect::<Result<Vec<_>, _>>()?;
    let python_rivals = PYTHON_RIVALS.map(|(short, name)| {
        let folder = packages.iter().find(|(known, _)| known == short).map(|(_, folder)| folder.as_path());
        let outcome = folder.ok_or_else(|| "no package".to_owned());
        let outcome = outcome.and_then(|folder| in_python(server, short, folder));
        let measured = outcome.inspect_err(|reason| eprintln!("bench-worker: {name}: {reason}")).ok();
        PythonRate { name, measured }
    });
    Ok(Rates { ours, python_rivals: python_rivals.into() })
}

/// From the tenth part of the jobs on: how long a handler takes to start is not what is measured.
fn one(server: &Server, kind: &Kind) -> Result<Rate, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let cpu = server.cpu()?;
    push(&mut control, kind.jobs)?;
    let flags: Vec<&str> = kind.flags.iter().map(String::as_str).collect();
    let worker = Worker::start(server, "warn", &flags)?;
    acked(&mut control, kind.jobs / 10)?;
    let first = crate::worker_process::count(&mut control, "acked")?;
    let begun = Instant::now();
    acked(&mut control, kind.jobs)?;
    let rate = (kind.jobs - first) as f64 / begun.elapsed().as_secs_f64();
    let server_us = (server.cpu()? - cpu) as f64 / 1_000.0 / kind.jobs as f64;
    worker.stop()?;
    // Programs and addresses of this machine are no part of it.
    let shown = flags[2..].join(" ");
    Ok(Rate { name: kind.name, flags: shown, rate, server_us, bar: kind.bar })
}

/// Jobs a second, and the server's µs a job.
fn in_python(server: &Server, short: &str, folder: &Path) -> Result<(f64, f64), String> {
    server.connect()?.call(&[b"FLUSHALL", b"SYNC"])?;
    let script = format!("{}/benches/worker/python_rivals/{short}_worker.py", env!("CARGO_MANIFEST_DIR"));
    let cpu = server.cpu()?;
    let output = Command::new("python3")
        .args([&script, &server.port.to_string(), &RIVALS_JOBS.to_string()])
        .env("PYTHONPATH", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    let server_us = (server.cpu()? - cpu) as f64 / 1_000.0 / RIVALS_JOBS as f64;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.trim().parse().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().last().unwrap_or("it printed nothing").to_owned()
    })?;
    Ok((rate, server_us))
}

/// A web server that answers every request with 200 and no body.
struct Web {
    url: String,
}

impl Web {
    fn start() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                std::thread::spawn(move || serve(socket));
            }
        });
        Ok(Web { url: format!("http://{address}/") })
    }
}

/// Until the other end closes the connection.
fn serve(socket: TcpStream) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut socket = BufReader::new(socket);
    let mut line = String::new();
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if socket.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        body.resize(length, 0);
        socket.read_exact(&mut body).ok()?;
        socket.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}
