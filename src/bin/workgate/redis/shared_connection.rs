//! The connection that all handlers' commands share: it comes back by itself and, in a cluster,
//! finds each key's node.

use redis::{Cmd, Value};
use tokio::sync::Mutex;

use crate::redis::cluster::Cluster;
use crate::redis::connection::{ANSWER_WITHIN, Connection, Fault, Server};

/// Commands of one key each, over connections that are opened again after they broke.
#[derive(Debug)]
pub enum SharedConnection {
    Single(Box<Single>),
    Cluster(Box<Cluster>),
}

impl SharedConnection {
    /// To this server and no other.
    pub fn to(server: Server) -> Self {
        SharedConnection::Single(Box::new(Single { server, live: Mutex::new((0, None)) }))
    }

    /// As the server says: to it alone, or to all nodes of the cluster that it is of.
    pub async fn found(server: Server) -> Result<Self, Fault> {
        let is_cluster = server.is_named_a_cluster() || {
            server.connect(Some(ANSWER_WITHIN)).await?.facts().await?.is_cluster
        };
        Ok(if is_cluster {
            SharedConnection::Cluster(Box::new(Cluster::of(server)?))
        } else {
            SharedConnection::to(server)
        })
    }

    /// One try. The next call after an unreachable server connects again.
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        match self {
            SharedConnection::Single(single) => single.call(command).await,
            SharedConnection::Cluster(cluster) => cluster.call(command).await,
        }
    }

    /// One reply for each command. To one server they go in one write; in a cluster each finds its
    /// node.
    pub async fn call_all(&self, commands: &[Cmd]) -> Vec<Result<Value, Fault>> {
        match self {
            SharedConnection::Single(single) => match single.call_all(commands).await {
                Ok(replies) => replies,
                Err(fault) => commands.iter().map(|_| Err(fault.clone())).collect(),
            },
            SharedConnection::Cluster(cluster) => {
                futures_util::future::join_all(commands.iter().map(|command| cluster.call(command))).await
            }
        }
    }
}

/// One connection to one server, as long as it lives, then the next.
#[derive(Debug)]
pub struct Single {
    server: Server,
    /// The connection with its number, so that a late failure on an old one leaves the new one
    /// alone.
    live: Mutex<(u64, Option<Connection>)>,
}

impl Single {
    async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let (number, line) = self.line().await?;
        let answer = line.call(command).await;
        if let Err(Fault::Unreachable(_)) = &answer {
            self.forget(number).await;
        }
        answer
    }

    async fn call_all(&self, commands: &[Cmd]) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let (number, line) = self.line().await?;
        let answers = line.call_all(commands).await;
        let is_unreachable = |answer: &Result<Value, Fault>| matches!(answer, Err(Fault::Unreachable(_)));
        if answers.as_ref().map_or(true, |answers| answers.iter().any(is_unreachable)) {
            self.forget(number).await;
        }
        answers
    }

    /// The next call opens another connection.
    async fn forget(&self, number: u64) {
        let mut live = self.live.lock().await;
        if live.0 == number {
            live.1 = None;
        }
    }

    async fn line(&self) -> Result<(u64, Connection), Fault> {
        let mut live = self.live.lock().await;
        if let (number, Some(line)) = &*live {
            return Ok((*number, line.clone()));
        }
        let line = self.server.connect(Some(ANSWER_WITHIN)).await?;
        live.0 += 1;
        live.1 = Some(line.clone());
        Ok((live.0, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::test_server::{Say, TestServer};

    #[tokio::test]
    async fn a_link_comes_back_after_its_connection_broke() {
        let fake = TestServer::start(|connection, command| match (connection, &command[0][..]) {
            (0, b"PING") => Say::Close,
            (_, b"PING") => Say::line("+PONG"),
            _ => Say::line("+OK"),
        })
        .await;
        let link = SharedConnection::to(fake.server());
        assert!(matches!(link.call(&redis::cmd("PING")).await, Err(Fault::Unreachable(_))));
        assert_eq!(link.call(&redis::cmd("PING")).await, Ok(Value::SimpleString("PONG".into())));
    }

    #[tokio::test]
    async fn a_server_says_whether_it_is_of_a_cluster() {
        for (hello, cluster) in [
            ("*4\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n$7\r\ncluster", true),
            ("*2\r\n$4\r\nmode\r\n$10\r\nstandalone", false),
            ("-ERR unknown command 'HELLO'", false),
        ] {
            let fake = TestServer::start(move |_, command| match &command[0][..] {
                b"HELLO" => Say::line(hello),
                _ => Say::line("+OK"),
            })
            .await;
            let link = SharedConnection::found(fake.server()).await.unwrap();
            assert_eq!(matches!(link, SharedConnection::Cluster(_)), cluster, "{hello}");
        }
    }
}
