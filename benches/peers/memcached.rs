//! memcached with one thread, and its meta commands: a cache that hands out one load, too.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::contender::{Contender, Target, nothing};
use crate::host::Host;
use crate::our_commands::fresh;
use crate::support::resp::{Connection, Reply};
use crate::support::server::{free_port, processor_time};

pub struct Memcached {
    child: Child,
    port: u16,
    pub version: String,
}

impl Memcached {
    pub fn start(program: &Path) -> Result<Self, String> {
        let port = free_port()?;
        let mut child = Command::new(program)
            // One gigabyte, one thread, no UDP; as root it needs a user name.
            .args([
                "-l",
                "127.0.0.1",
                "-p",
                &port.to_string(),
                "-U",
                "0",
                "-m",
                "1024",
                "-t",
                "1",
                "-u",
                "root",
            ])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let begun = Instant::now();
        let version = loop {
            let asked = Connection::open_as(port, decode).and_then(|mut connection| {
                connection.send(b"version\r\n")?;
                connection.reply()
            });
            match asked {
                Ok(reply) => break reply.text().replace("VERSION ", ""),
                Err(error) if begun.elapsed() > Duration::from_secs(10) => {
                    let _ = child.kill();
                    return Err(format!("{} does not answer: {error}", program.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        Ok(Memcached { child, port, version })
    }
}

impl Host for Memcached {
    fn connect(&self) -> Result<Connection, String> {
        Connection::open_as(self.port, decode)
    }

    fn clear(&self) -> Result<(), String> {
        ask(&mut self.connect()?, b"flush_all\r\n")
    }

    fn cpu(&self) -> Result<u64, String> {
        processor_time(self.child.id())
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line, or the value that it announces.
fn decode(bytes: &[u8], at: &mut usize) -> Option<Reply> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    if let Some(announced) = line.strip_prefix("VA ") {
        let length: usize = announced.split(' ').next()?.parse().ok()?;
        let value = rest.get(end + 2..end + 2 + length)?;
        rest.get(end + 2 + length + 1)?;
        *at += end + 2 + length + 2;
        return Some(Reply::Text(value.into()));
    }
    *at += end + 2;
    Some(if line.contains("ERROR") { Reply::Error(line) } else { Reply::Text(line.into()) })
}

fn ask(connection: &mut Connection, line: &[u8]) -> Result<(), String> {
    connection.send(line)?;
    match connection.reply()? {
        Reply::Error(text) => Err(text),
        _ => Ok(()),
    }
}

fn value(connection: &mut Connection) -> Result<(), String> {
    ask(connection, &[b"ms k 100\r\n", &[b'v'; 100][..], b"\r\n"].concat())
}

pub fn contenders() -> Vec<Contender> {
    vec![
        Contender::new("memcached mg, hit, 100 B", value, &[|w, _, _| w.extend_from_slice(b"mg k v\r\n")])
            .on(Target::Memcached)
            .beside("GETSET hit, 100 B"),
        Contender::new(
            "memcached mg, miss, one fills (N60)",
            nothing,
            &[|w, n, _| {
                w.extend_from_slice(b"mg ");
                w.extend(fresh("c", n));
                w.extend_from_slice(b" v N60\r\n");
            }],
        )
        .on(Target::Memcached)
        .beside("GETSET miss, one fills"),
    ]
}
