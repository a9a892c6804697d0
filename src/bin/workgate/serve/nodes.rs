//! The connections to the server, or to each primary of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::{Cmd, Value};
use tokio::sync::{Mutex, OnceCell};

use crate::redis::connection::{Connection, Fault, Server};
use crate::redis::shared_connection::SharedConnection;

/// How many commands go in one write: the server answers others in between.
const MOST_OF_ONE_WRITE: usize = 50;

/// One server, or one primary of a cluster.
#[derive(Debug, Clone)]
pub struct Node {
    pub address: String,
    connection: Arc<SharedConnection>,
}

impl Node {
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        self.connection.call(command).await
    }

    /// One reply for each command.
    pub async fn call_all(&self, commands: &[Cmd]) -> Vec<Result<Value, Fault>> {
        call_all(&self.connection, commands).await
    }
}

/// Opened when they are first needed, so that the server may come later than this program.
#[derive(Debug)]
pub struct Nodes {
    server: Server,
    shared: OnceCell<Arc<SharedConnection>>,
    by_address: Mutex<BTreeMap<String, Arc<SharedConnection>>>,
}

impl Nodes {
    pub fn of(server: Server) -> Self {
        Nodes { server, shared: OnceCell::new(), by_address: Mutex::default() }
    }

    /// The server's address, without a password.
    pub fn shown(&self) -> String {
        self.server.first().addr().to_string()
    }

    async fn shared(&self) -> Result<&Arc<SharedConnection>, Fault> {
        let find = || async { SharedConnection::found(self.server.clone()).await.map(Arc::new) };
        self.shared.get_or_try_init(find).await
    }

    /// A command of one key, or one that any node answers.
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        self.shared().await?.call(command).await
    }

    /// One reply for each command, in writes of a few.
    pub async fn call_all(&self, commands: &[Cmd]) -> Vec<Result<Value, Fault>> {
        match self.shared().await {
            Ok(shared) => call_all(shared, commands).await,
            Err(fault) => commands.iter().map(|_| Err(fault.clone())).collect(),
        }
    }

    /// The server, or every primary of the cluster.
    pub async fn primaries(&self) -> Result<Vec<Node>, Fault> {
        let shared = self.shared().await?;
        let SharedConnection::Cluster(cluster) = &**shared else {
            let address = self.server.first().addr().to_string();
            return Ok(vec![Node { address, connection: shared.clone() }]);
        };
        let primaries = cluster.primaries().await?;
        let mut known = self.by_address.lock().await;
        let nodes: Vec<Node> = primaries
            .into_iter()
            .map(|server| {
                let address = server.first().addr().to_string();
                let connection = known.get(&address).cloned();
                let connection = connection.unwrap_or_else(|| Arc::new(SharedConnection::to(server)));
                Node { address, connection }
            })
            .collect();
        *known = nodes.iter().map(|node| (node.address.clone(), node.connection.clone())).collect();
        Ok(nodes)
    }

    /// A connection of one's own, for commands that block, to the node that owns the key.
    pub async fn connect_for(&self, key: &[u8]) -> Result<Connection, Fault> {
        match &**self.shared().await? {
            SharedConnection::Single(_) => self.server.connect(None).await,
            SharedConnection::Cluster(cluster) => {
                let slot = cluster.slot(key).await?;
                cluster.owner(slot).await?.connect(None).await
            }
        }
    }
}

async fn call_all(connection: &SharedConnection, commands: &[Cmd]) -> Vec<Result<Value, Fault>> {
    let mut replies = Vec::with_capacity(commands.len());
    for commands in commands.chunks(MOST_OF_ONE_WRITE) {
        replies.extend(connection.call_all(commands).await);
    }
    replies
}
