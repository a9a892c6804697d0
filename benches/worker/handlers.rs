//! Jobs a second by each kind of handler.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::million::push;
use crate::support::server::Server;
use crate::worker_process::{Worker, acked};

pub struct Rate {
    pub name: &'static str,
    pub flags: String,
    pub rate: f64,
    pub bar: f64,
}

pub struct Rates {
    pub ours: Vec<Rate>,
    /// A BullMQ worker in Python.
    pub python_rival: Option<f64>,
}

struct Kind {
    name: &'static str,
    flags: Vec<String>,
    jobs: usize,
    bar: f64,
}

pub fn measure(server: &Server, python_rival: Option<&Path>) -> Result<Rates, String> {
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
    let python_rival = match python_rival.map(|folder| bullmq_in_python(server, folder)).transpose() {
        Ok(rate) => rate,
        Err(reason) => {
            eprintln!("bench-worker: BullMQ in Python: {reason}");
            None
        }
    };
    Ok(Rates { ours, python_rival })
}

/// From the tenth part of the jobs on: how long a handler takes to start is not what is measured.
fn one(server: &Server, kind: &Kind) -> Result<Rate, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    push(&mut control, kind.jobs)?;
    let flags: Vec<&str> = kind.flags.iter().map(String::as_str).collect();
    let worker = Worker::start(server, "warn", &flags)?;
    acked(&mut control, kind.jobs / 10)?;
    let first = crate::worker_process::count(&mut control, "acked")?;
    let begun = Instant::now();
    acked(&mut control, kind.jobs)?;
    let rate = (kind.jobs - first) as f64 / begun.elapsed().as_secs_f64();
    worker.stop()?;
    // Programs and addresses of this machine are no part of it.
    let shown = flags[2..].join(" ");
    Ok(Rate { name: kind.name, flags: shown, rate, bar: kind.bar })
}

/// Its own worker with a handler that does nothing, 100 at once.
fn bullmq_in_python(server: &Server, folder: &Path) -> Result<f64, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/worker/bullmq_worker.py");
    let output = Command::new("python3")
        .args([script, &server.port.to_string(), "5000"])
        .env("PYTHONPATH", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let errors = String::from_utf8_lossy(&output.stderr);
        errors.lines().last().unwrap_or("it printed nothing").to_owned()
    })
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
