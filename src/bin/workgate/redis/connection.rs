//! Where the server is, a connection that lives once, and why a command has no useful reply.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError,
    ServerErrorKind, Value,
};

/// How long a connection attempt may take.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a command that does not block may take. Beyond it the connection counts as dead.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why a command has no useful reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nobody knows whether the command ran, or the server cannot run it now: worth trying again.
    Unreachable(String),
    /// The server refused: the error's first word, and its text.
    Refused { code: String, text: String },
}

impl Fault {
    /// Whether the server refused with this word.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Fault::Refused { code, .. } if code == word)
    }

    /// A reply that does not have the shape its command promises.
    pub fn unexpected(command: &str, reply: &Value) -> Self {
        // A reply may hold payloads.
        let shown: String = format!("{reply:?}").chars().take(200).collect();
        Fault::Refused {
            code: "REPLY".into(),
            text: format!("{command} answered {shown}, which this worker does not understand"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreachable(text) => f.write_str(text),
            Fault::Refused { code, text } => write!(f, "{code} {text}"),
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            // The server is starting, failing over or resharding, and will be back.
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                // A slot that is on its way to another node.
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            )
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Io
            | ErrorKind::Parse => Fault::Unreachable(error.to_string()),
            // A wait that the server ended because its role changed, a script that runs too long, a primary that
            // waits for its replicas, one that cannot write to its disk.
            _ if matches!(error.code(), Some("UNBLOCKED" | "BUSY" | "NOREPLICAS" | "MISCONF")) => {
                Fault::Unreachable(error.to_string())
            }
            _ => Fault::Refused {
                code: error.code().unwrap_or("ERR").to_owned(),
                text: error.detail().map_or_else(|| error.to_string(), str::to_owned),
            },
        }
    }
}

/// Where the server is; opens nothing by itself.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client,
}

impl Server {
    /// Refuses an address that cannot be read.
    pub fn at(url: &str) -> Result<Self, String> {
        Client::open(url).map(|client| Server { client }).map_err(|error| {
            format!(
                "--redis: {error}; expected redis://[user:password@]host[:port][/db] or redis+unix:///path"
            )
        })
    }

    /// Another node of its cluster, spoken to alike.
    pub fn at_node(&self, host: &str, port: u16) -> Result<Self, Fault> {
        let there = self.info().clone().set_addr(ConnectionAddr::Tcp(host.to_owned(), port));
        Ok(Server { client: Client::open(there)? })
    }

    pub fn info(&self) -> &ConnectionInfo {
        self.client.get_connection_info()
    }

    /// One connection, whose commands are answered within `answer_within` or fail.
    pub async fn connect(&self, answer_within: Duration) -> Result<Connection, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(answer_within));
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => Ok(Connection { connection }),
            // The address alone: a URL may hold a password.
            Err(error) => Err(match Fault::from(error) {
                Fault::Unreachable(text) => Fault::Unreachable(format!("{}: {text}", self.info().addr())),
                refused => refused,
            }),
        }
    }
}

/// One connection. Once a call was [`Fault::Unreachable`] it is of no more use.
#[derive(Debug, Clone)]
pub struct Connection {
    connection: MultiplexedConnection,
}

impl Connection {
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let mut connection = self.connection.clone();
        Ok(connection.send_packed_command(command).await?.extract_error()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::shared_connection::SharedConnection;
    use crate::redis::test_server::{Say, TestServer};

    #[tokio::test]
    async fn what_the_server_refuses_is_told_from_what_may_be_tried_again() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"FENCE" => Say::line("-FENCED the job was taken over"),
            b"LOAD" => Say::line("-LOADING Redis is loading the dataset in memory"),
            b"ROLE" => Say::line("-UNBLOCKED force unblock from blocking operation, instance state changed"),
            b"SLOT" => Say::line("-MOVED 7 127.0.0.1:7001"),
            b"REPLICA" => Say::line("-READONLY You can't write against a read only replica."),
            _ => Say::line("+OK"),
        })
        .await;
        let link = SharedConnection::to(Server::at(&fake.url()).unwrap());
        let fault = link.call(&redis::cmd("FENCE")).await.unwrap_err();
        assert!(fault.is("FENCED"), "{fault}");
        assert_eq!(fault.to_string(), "FENCED the job was taken over");
        for word in ["LOAD", "ROLE", "REPLICA", "SLOT"] {
            assert!(matches!(link.call(&redis::cmd(word)).await, Err(Fault::Unreachable(_))), "{word}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_worth_another_try() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", free.local_addr().unwrap());
        drop(free);
        let link = SharedConnection::to(Server::at(&url).unwrap());
        assert!(matches!(link.call(&redis::cmd("PING")).await, Err(Fault::Unreachable(_))));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_refused() {
        let error = Server::at("localhost:6379").unwrap_err();
        assert!(error.contains("redis://"), "{error}");
    }
}
