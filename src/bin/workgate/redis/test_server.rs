//! A server for tests: answers each command by a function.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::redis::connection::Server;
use crate::redis::tls::TlsFiles;

/// A server to which CLIENT UNBLOCK may be sent.
const HELLO: &str = "*4\r\n$7\r\nversion\r\n$5\r\n7.4.1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n";

pub type Command = Vec<Vec<u8>>;

/// What the server does with a command.
pub enum Say {
    /// Raw RESP, whole.
    Bytes(Vec<u8>),
    /// Closes the connection without an answer.
    Close,
    /// Answers when a CLIENT UNBLOCK comes, as a blocked command does.
    WhenUnblocked(Vec<u8>),
}

impl Say {
    /// RESP without its last line break.
    pub fn line(text: &str) -> Self {
        Say::Bytes(format!("{text}\r\n").into_bytes())
    }
}

pub struct TestServer {
    port: u16,
    seen: Arc<Mutex<Vec<Command>>>,
}

impl TestServer {
    /// `answer` gets the connection's number, from 0, and the command.
    pub async fn start(answer: impl Fn(usize, &Command) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let unblock = Arc::new(tokio::sync::Notify::new());
        let log = seen.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((socket, _)) = listener.accept().await {
                let (answer, log, unblock) = (answer.clone(), log.clone(), unblock.clone());
                tokio::spawn(async move {
                    let mut socket = BufReader::new(socket);
                    while let Some(command) = read(&mut socket).await {
                        log.lock().unwrap().push(command.clone());
                        if command[0] == b"CLIENT" && command[1] == b"UNBLOCK" {
                            unblock.notify_waiters();
                        }
                        let bytes = match answer(number, &command) {
                            // Unless the test has something to say of it.
                            Say::Bytes(bytes) if command[0] == b"HELLO" && bytes == b"+OK\r\n" => {
                                HELLO.into()
                            }
                            Say::Bytes(bytes) => bytes,
                            Say::Close => return,
                            Say::WhenUnblocked(bytes) => {
                                unblock.notified().await;
                                bytes
                            }
                        };
                        if socket.get_mut().write_all(&bytes).await.is_err() {
                            return;
                        }
                    }
                });
                number += 1;
            }
        });
        TestServer { port, seen }
    }

    pub fn server(&self) -> Server {
        Server::at(&self.url(), TlsFiles::default()).unwrap()
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The commands whose name begins so, as text.
    pub fn seen(&self, prefix: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let lines = seen.iter().map(|command| {
            command.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
        });
        lines.filter(|line| line.starts_with(prefix)).collect()
    }
}

async fn read(socket: &mut BufReader<TcpStream>) -> Option<Command> {
    let count = number(socket, '*').await?;
    let mut command = Vec::new();
    for _ in 0..count {
        let length = number(socket, '$').await?;
        let mut bytes = vec![0; length + 2];
        socket.read_exact(&mut bytes).await.ok()?;
        bytes.truncate(length);
        command.push(bytes);
    }
    Some(command)
}

async fn number(socket: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    socket.read_line(&mut line).await.ok()?;
    line.strip_prefix(sign)?.trim_end().parse().ok()
}
