//! Commands out, replies in: just enough of RESP2, without copying more than a load generator may.

use std::io::{Read, Write};
use std::net::TcpStream;

#[derive(Debug, Clone)]
pub enum Reply {
    Nil,
    Int(i64),
    /// A simple or bulk string.
    Text(Vec<u8>),
    Error(String),
    List(Vec<Reply>),
}

impl Reply {
    pub fn int(&self) -> i64 {
        if let Reply::Int(value) = self { *value } else { panic!("not a number: {self:?}") }
    }

    pub fn bytes(&self) -> &[u8] {
        if let Reply::Text(bytes) = self { bytes } else { panic!("not a string: {self:?}") }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Of a list.
    #[allow(dead_code)] // not every benchmark takes lists of unknown length
    pub fn len(&self) -> usize {
        if let Reply::List(items) = self { items.len() } else { panic!("not a list: {self:?}") }
    }

    pub fn at(&self, index: usize) -> &Reply {
        if let Reply::List(items) = self { &items[index] } else { panic!("not a list: {self:?}") }
    }
}

/// Appends a command in its wire form.
pub fn write(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

pub struct Connection {
    stream: TcpStream,
    decode: Decode,
    buffer: Vec<u8>,
    read: usize,
}

/// Takes the reply at `at`, which moves behind it; nothing when it is not complete yet.
pub type Decode = fn(bytes: &[u8], at: &mut usize) -> Option<Reply>;

impl Connection {
    pub fn open(port: u16) -> Result<Self, String> {
        Connection::open_as(port, decode)
    }

    /// To a program that answers in another form.
    pub fn open_as(port: u16, decode: Decode) -> Result<Self, String> {
        let stream =
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| format!("connecting: {error}"))?;
        stream.set_nodelay(true).map_err(|error| format!("connecting: {error}"))?;
        Ok(Connection { stream, decode, buffer: Vec::new(), read: 0 })
    }

    pub fn send(&mut self, wire: &[u8]) -> Result<(), String> {
        self.stream.write_all(wire).map_err(|error| format!("sending: {error}"))
    }

    pub fn call(&mut self, words: &[&[u8]]) -> Result<Reply, String> {
        let mut wire = Vec::new();
        write(&mut wire, words);
        self.send(&wire)?;
        match self.reply()? {
            Reply::Error(text) => Err(format!("{}: {text}", String::from_utf8_lossy(words[0]))),
            reply => Ok(reply),
        }
    }

    /// A number in a section of INFO.
    pub fn info(&mut self, section: &[u8], field: &str) -> Result<f64, String> {
        let info = self.call(&[b"INFO", section])?.text();
        let value = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse().ok()).ok_or_else(|| format!("INFO has no {field}"))
    }

    /// What the server uses, once this is its only client.
    #[allow(dead_code)] // not every benchmark asks for it
    pub fn memory_alone(&mut self) -> Result<f64, String> {
        while self.info(b"clients", "connected_clients")? > 1.0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.info(b"memory", "used_memory")
    }

    pub fn reply(&mut self) -> Result<Reply, String> {
        loop {
            let mut at = self.read;
            if let Some(reply) = (self.decode)(&self.buffer, &mut at) {
                self.read = at;
                return Ok(reply);
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            let mut chunk = [0; 64 * 1024];
            let count = self.stream.read(&mut chunk).map_err(|error| format!("reading: {error}"))?;
            if count == 0 {
                return Err("the server closed the connection".into());
            }
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }
}

fn decode(bytes: &[u8], at: &mut usize) -> Option<Reply> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, line) = (rest[0], std::str::from_utf8(&rest[1..end]).expect("lines are text"));
    *at += end + 2;
    let number = || line.parse::<i64>().expect("a number");
    match kind {
        b'+' => Some(Reply::Text(line.into())),
        b'-' => Some(Reply::Error(line.into())),
        b':' => Some(Reply::Int(number())),
        b'$' => {
            let Ok(length) = usize::try_from(number()) else { return Some(Reply::Nil) };
            let text = bytes.get(*at..*at + length)?;
            bytes.get(*at + length + 1)?;
            *at += length + 2;
            Some(Reply::Text(text.into()))
        }
        b'*' => {
            let Ok(length) = usize::try_from(number()) else { return Some(Reply::Nil) };
            (0..length).map(|_| decode(bytes, at)).collect::<Option<Vec<_>>>().map(Reply::List)
        }
        other => panic!("unknown reply type {other}"),
    }
}
