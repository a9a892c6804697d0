//! The replication stream, read as a replica would.

use super::client::Client;
use super::command::shown;
use super::reply::Reply;
use super::test_server::Server;

/// All that a server replicates, from the moment of attaching.
pub struct Stream {
    link: Client,
}

impl Stream {
    pub fn attach(server: &Server) -> Stream {
        let link = server.client();
        link.try_send_bytes(b"SYNC\r\n").expect("SYNC is sent");
        // Newlines keep the link alive while the snapshot is made; then comes `$length` and the
        // file.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n") {
            let byte = link.try_read_bytes(1).expect("the server sends a snapshot");
            if !(head.is_empty() && byte == b"\n") {
                head.extend(byte);
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head.trim().strip_prefix('$').and_then(|length| length.parse().ok());
        let length = length.unwrap_or_else(|| panic!("no snapshot but '{head}'"));
        link.try_read_bytes(length).expect("the snapshot comes whole");
        Stream { link }
    }

    /// The commands replicated since the last call, each as one line, without the protocol's own.
    ///
    /// Leaves out the message that a history starts, with the transaction that holds it and one
    /// command.
    ///
    /// A PUBLISH marks the end: it travels behind all that the server replicated before it.
    #[track_caller]
    pub fn taken(&self, server: &Client) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        let mut starts = false;
        for parts in self.frames(server) {
            let line = shown(&parts);
            match parts[0].to_ascii_uppercase().as_slice() {
                b"SELECT" | b"PING" | b"REPLCONF" => {}
                b"WORKGATE._APPLY" if parts[1] == b"start" => starts = true,
                b"EXEC" if std::mem::take(&mut starts) && is_alone(&commands) => {
                    commands.remove(commands.len() - 2);
                }
                _ => commands.push(line),
            }
        }
        commands
    }

    /// The same as it came: every command, word by word.
    #[track_caller]
    pub fn frames(&self, server: &Client) -> Vec<Vec<Vec<u8>>> {
        server.ok("PUBLISH end-of-what-was-replicated x");
        let mut frames = Vec::new();
        loop {
            let Reply::Array(parts) = self.link.read() else { panic!("the stream holds a bare reply") };
            let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.bytes().to_vec()).collect();
            if parts[0].eq_ignore_ascii_case(b"PUBLISH") && parts[1] == b"end-of-what-was-replicated" {
                return frames;
            }
            frames.push(parts);
        }
    }
}

/// Whether one command follows the last MULTI.
fn is_alone(commands: &[String]) -> bool {
    commands.len() >= 2 && commands[commands.len() - 2] == "MULTI"
}
