//! A client that the server has blocked.

use std::ops::Deref;
use std::time::Duration;

use super::client::Client;
use super::command::{Command, shown};
use super::eventually::eventually;
use super::reply::Reply;
use super::test_server::Server;

/// A connection with a command that waits for its reply.
pub struct Waiter {
    client: Client,
    /// Its number, for CLIENT KILL and CLIENT UNBLOCK.
    pub id: i64,
}

impl Waiter {
    #[track_caller]
    pub fn begin(server: &Server, command: impl Command) -> Waiter {
        let client = server.client();
        let id = client.id();
        let parts = command.parts();
        client.send(&parts);
        let mut early = None;
        eventually("the client is blocked", || {
            early = client.try_read(Duration::from_millis(1)).ok();
            early.is_some() || is_blocked(server, id)
        });
        if let Some(reply) = early {
            panic!("'{}' did not wait but answered {reply:?}", shown(&parts));
        }
        Waiter { client, id }
    }

    /// Sends a command that may have to wait, whether it does or not.
    #[track_caller]
    pub fn ask(server: &Server, command: impl Command) -> Waiter {
        let client = server.client();
        let id = client.id();
        client.send(command);
        Waiter { client, id }
    }

    /// The reply, once it comes.
    #[track_caller]
    pub fn reply(&self) -> Reply {
        self.client.read()
    }

    /// Fails unless the server still holds the client blocked and has sent it nothing.
    #[track_caller]
    pub fn still_waits(&self, server: &Server) {
        if let Ok(reply) = self.client.try_read(Duration::from_millis(1)) {
            panic!("the client was answered {reply:?}");
        }
        assert!(is_blocked(server, self.id), "the client is not blocked any more");
    }
}

impl Deref for Waiter {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

fn is_blocked(server: &Server, id: i64) -> bool {
    let line = server.call(format!("CLIENT LIST ID {id}"));
    let Reply::Bulk(line) = line else { return false };
    String::from_utf8_lossy(&line)
        .split_whitespace()
        .any(|field| field.strip_prefix("flags=").is_some_and(|flags| flags.contains('b')))
}
