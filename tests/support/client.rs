//! One connection to a server.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::command::{Command, encode, shown};
use super::eventually::{DEADLINE, eventually};
use super::reply::{Reply, decode};

/// A connection that sends and reads in separate steps, so that one test thread can hold many
/// blocked clients.
pub struct Client {
    stream: TcpStream,
    unread: RefCell<Vec<u8>>,
}

impl Client {
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Client { stream, unread: RefCell::default() })
    }

    /// Sends without reading the reply.
    #[track_caller]
    pub fn send(&self, command: impl Command) {
        let parts = command.parts();
        self.try_send_bytes(&encode(&parts)).unwrap_or_else(|e| panic!("sending '{}': {e}", shown(&parts)));
    }

    pub fn try_send_bytes(&self, wire: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(wire)
    }

    /// The next reply, errors included.
    #[track_caller]
    pub fn read(&self) -> Reply {
        self.try_read(DEADLINE).unwrap_or_else(|e| panic!("reading a reply: {e}"))
    }

    /// The next reply if it comes within `patience`.
    pub fn try_read(&self, patience: Duration) -> io::Result<Reply> {
        let begun = Instant::now();
        loop {
            let whole = decode(&self.unread.borrow());
            if let Some((reply, length)) = whole {
                self.unread.borrow_mut().drain(..length);
                return Ok(reply);
            }
            self.fill(patience.saturating_sub(begun.elapsed()))?;
        }
    }

    /// A number of raw bytes, as in the file that a full synchronisation sends.
    pub fn try_read_bytes(&self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.borrow().len() < count {
            self.fill(DEADLINE)?;
        }
        Ok(self.unread.borrow_mut().drain(..count).collect())
    }

    fn fill(&self, patience: Duration) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        self.stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
        let size = (&self.stream).read(&mut chunk)?;
        if size == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.unread.borrow_mut().extend(&chunk[..size]);
        Ok(())
    }

    /// Sends a command and reads its reply, errors included.
    #[track_caller]
    pub fn call(&self, command: impl Command) -> Reply {
        let parts = command.parts();
        self.send(&parts);
        self.try_read(DEADLINE).unwrap_or_else(|e| panic!("the reply to '{}': {e}", shown(&parts)))
    }

    /// Like [`Client::call`], but for a server that may be coming up or going down.
    pub fn try_call(&self, command: impl Command) -> io::Result<Reply> {
        self.try_send_bytes(&encode(&command.parts()))?;
        self.try_read(DEADLINE)
    }

    /// The reply of a command that must succeed.
    #[track_caller]
    pub fn ok(&self, command: impl Command) -> Reply {
        let parts = command.parts();
        let reply = self.call(&parts);
        assert!(!reply.is_error(), "'{}' answered {reply:?}", shown(&parts));
        reply
    }

    /// A command that must answer an error which begins with `beginning`; the error's text.
    #[track_caller]
    pub fn refuses(&self, command: impl Command, beginning: &str) -> String {
        let parts = command.parts();
        match self.call(&parts) {
            Reply::Error(text) if text.starts_with(beginning) => text,
            reply => panic!("'{}' answered {reply:?}, not an error '{beginning}…'", shown(&parts)),
        }
    }

    /// Sends all commands in one write, then reads all replies.
    #[track_caller]
    pub fn pipeline<C: Command>(&self, commands: impl IntoIterator<Item = C>) -> Vec<Reply> {
        let mut wire = Vec::new();
        let mut count = 0;
        for command in commands {
            wire.extend(encode(&command.parts()));
            count += 1;
        }
        self.try_send_bytes(&wire).unwrap_or_else(|e| panic!("sending a pipeline: {e}"));
        (0..count).map(|_| self.read()).collect()
    }

    /// All commands in one MULTI/EXEC; the replies of EXEC.
    #[track_caller]
    pub fn transaction<C: Command>(&self, commands: impl IntoIterator<Item = C>) -> Vec<Reply> {
        self.ok("MULTI");
        for command in commands {
            self.ok(command);
        }
        let Reply::Array(replies) = self.ok("EXEC") else { panic!("EXEC was aborted") };
        replies
    }

    /// The number by which CLIENT LIST, KILL and UNBLOCK know this connection.
    #[track_caller]
    pub fn id(&self) -> i64 {
        self.ok("CLIENT ID").int()
    }

    /// A line of INFO.
    #[track_caller]
    pub fn info(&self, field: &str) -> String {
        let all = self.ok("INFO everything").text();
        all.lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
            .unwrap_or_else(|| panic!("INFO has no line '{field}'"))
            .to_owned()
    }

    /// The server's clock, in Unix milliseconds.
    #[track_caller]
    pub fn now(&self) -> i64 {
        let time = self.ok("TIME");
        let part = |at: usize| time.at(at).text().parse::<i64>().expect("TIME answers numbers");
        part(0) * 1_000 + part(1) / 1_000
    }

    /// Waits until the server's clock has gone on by more than this many milliseconds.
    #[track_caller]
    pub fn goes_on(&self, ms: i64) {
        let end = self.now() + ms;
        eventually("the server's clock goes on", || self.now() > end);
    }
}
