//! A process with many connections. Its parent writes a word a line, it answers with a line:
//!
//! ```text
//! send COMMAND…   sends the command on every connection             sent
//! look            reads one reply that is there and is a FILL       fill TOKEN | none
//! crash           closes the connection that was given the FILL     crashed
//! await           reads a reply on every connection left            done UNIX_NS FILLS REPLIES
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::resp::write;

/// The first argument of such a process.
pub const WORD: &str = "readers";

pub fn main(mut words: impl Iterator<Item = String>) -> ExitCode {
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
    let (Some(port), Some(count)) = (number(), number()) else { return ExitCode::FAILURE };
    let mut streams: Vec<TcpStream> = Vec::new();
    for _ in 0..count {
        match TcpStream::connect(("127.0.0.1", port as u16)) {
            Ok(stream) => streams.push(stream),
            Err(error) => {
                eprintln!("readers: connecting: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("ready");
    let mut filler = None;
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let answer = match words[0] {
            b"send" => {
                let mut wire = Vec::new();
                write(&mut wire, &words[1..]);
                for stream in &mut streams {
                    stream.write_all(&wire).expect("the server takes commands");
                }
                "sent".to_owned()
            }
            b"look" => look(&mut streams, &mut filler),
            b"crash" => {
                filler = None;
                "crashed".to_owned()
            }
            _ => wait(&mut streams),
        };
        println!("{answer}");
    }
    ExitCode::SUCCESS
}

/// Finds the connection that was told to fill, if there is one among these.
fn look(streams: &mut Vec<TcpStream>, filler: &mut Option<TcpStream>) -> String {
    let mut byte = [0];
    let there = streams.iter().position(|stream| {
        stream.set_nonblocking(true).expect("a socket");
        let there = stream.peek(&mut byte).is_ok();
        stream.set_nonblocking(false).expect("a socket");
        there
    });
    let Some(at) = there else { return "none".into() };
    let mut stream = streams.swap_remove(at);
    let reply = reply(&mut stream);
    *filler = Some(stream);
    // [FILL, nil, token, ms]
    let token = reply.split("\r\n").find_map(|line| line.strip_prefix(':')).unwrap_or_default();
    if reply.contains("FILL\r\n") { format!("fill {token}") } else { format!("not a fill: {reply:?}") }
}

fn wait(streams: &mut [TcpStream]) -> String {
    let mut fills = 0;
    for stream in &mut *streams {
        fills += usize::from(reply(stream).contains("FILL\r\n"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    format!("done {} {fills} {}", now.as_nanos(), streams.len())
}

/// One reply of less than a packet, as it is.
fn reply(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).expect("a reply within a minute");
    String::from_utf8_lossy(&chunk[..count]).into_owned()
}

/// The parent's side.
pub struct Readers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Readers {
    pub fn start(port: u16, count: u32) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .args([WORD, &port.to_string(), &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("starting readers: {error}"))?;
        let input = child.stdin.take().ok_or("no input of readers")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output of readers")?);
        let mut readers = Readers { child, input, output };
        match readers.answer()?.as_str() {
            "ready" => Ok(readers),
            other => Err(format!("readers are not ready: '{other}'")),
        }
    }

    pub fn tell(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.input, "{line}").map_err(|error| format!("telling readers: {error}"))
    }

    pub fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| format!("hearing readers: {error}"))?;
        Ok(line.trim().to_owned())
    }

    pub fn ask(&mut self, line: &str) -> Result<String, String> {
        self.tell(line)?;
        self.answer()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
