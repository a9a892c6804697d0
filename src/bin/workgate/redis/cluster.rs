//! A cluster: commands go to the node that owns their key's slot, wherever it moves.

use std::collections::BTreeSet;
use std::fmt;

use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ConnectionAddr, Value, cmd};
use tokio::sync::Mutex;

use crate::redis::connection::{ANSWER_WITHIN, CONNECT_WITHIN, Fault, Server};

/// All nodes, found by way of one of them.
pub struct Cluster {
    server: Server,
    client: ClusterClient,
    /// It follows redirections and comes back from lost nodes by itself.
    live: Mutex<Option<ClusterConnection>>,
}

impl Cluster {
    pub fn of(server: Server) -> Result<Self, Fault> {
        let mut builder = ClusterClient::builder(server.places().to_vec())
            .connection_timeout(CONNECT_WITHIN)
            .response_timeout(ANSWER_WITHIN)
            .use_protocol(server.first().redis_settings().protocol());
        if let Some(certificates) = server.cluster_certificates()? {
            builder = builder.certs(certificates);
        }
        Ok(Cluster { server, client: builder.build()?, live: Mutex::new(None) })
    }

    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        Ok(redis::aio::ConnectionLike::req_packed_command(&mut self.connection().await?, command).await?)
    }

    /// The slot of a key.
    pub async fn slot(&self, key: &[u8]) -> Result<i64, Fault> {
        match self.ask(cmd("CLUSTER").arg("KEYSLOT").arg(key)).await? {
            Value::Int(slot) => Ok(slot),
            other => Err(Fault::unexpected("CLUSTER KEYSLOT", &other)),
        }
    }

    /// The primary that owns a slot now.
    pub async fn owner(&self, slot: i64) -> Result<Server, Fault> {
        let reply = self.ask(cmd("CLUSTER").arg("SLOTS")).await?;
        let Value::Array(ranges) = &reply else { return Err(Fault::unexpected("CLUSTER SLOTS", &reply)) };
        let Some((host, port)) = ranges.iter().find_map(|range| primary_of(range, Some(slot))) else {
            return Err(Fault::Unreachable(format!("no node of the cluster owns slot {slot}")));
        };
        Ok(self.at(host, port))
    }

    /// Every primary that owns slots.
    pub async fn primaries(&self) -> Result<Vec<Server>, Fault> {
        let reply = self.ask(cmd("CLUSTER").arg("SLOTS")).await?;
        let Value::Array(ranges) = &reply else { return Err(Fault::unexpected("CLUSTER SLOTS", &reply)) };
        let places: BTreeSet<(Option<String>, u16)> =
            ranges.iter().filter_map(|range| primary_of(range, None)).collect();
        Ok(places.into_iter().map(|(host, port)| self.at(host, port)).collect())
    }

    fn at(&self, host: Option<String>, port: u16) -> Server {
        match (host, self.server.first().addr()) {
            (Some(host), _) => self.server.at_node(&host, port),
            // The node that was asked does not know how others reach it.
            (None, ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }) => {
                self.server.at_node(host, port)
            }
            _ => self.server.clone(),
        }
    }

    /// What every node knows.
    async fn ask(&self, command: &Cmd) -> Result<Value, Fault> {
        let anyone = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        Ok(self.connection().await?.route_command(command.clone(), anyone).await?)
    }

    async fn connection(&self) -> Result<ClusterConnection, Fault> {
        let mut live = self.live.lock().await;
        if let Some(connection) = &*live {
            return Ok(connection.clone());
        }
        let connection = self.client.get_async_connection().await?;
        Ok(live.insert(connection).clone())
    }
}

/// The first node of `[first, last, [host, port, …], …]` if that has the slot, or whichever it has;
/// no host where it is not known.
fn primary_of(range: &Value, slot: Option<i64>) -> Option<(Option<String>, u16)> {
    let Value::Array(fields) = range else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &fields[..] else { return None };
    let [host, Value::Int(port), ..] = &primary[..] else { return None };
    let host: Option<String> = redis::from_redis_value_ref(host).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?");
    slot.is_none_or(|slot| (*first..=*last).contains(&slot)).then_some((host, u16::try_from(*port).ok()?))
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster({})", self.server.first().addr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    #[test]
    fn the_primary_of_a_slot_is_the_first_node_of_its_range() {
        let host = |name: &str| Value::BulkString(name.as_bytes().to_vec());
        let range =
            |primary| Value::Array(vec![Value::Int(5), Value::Int(9), primary, node(host("replica"), 2)]);
        let found = primary_of(&range(node(host("a"), 1)), Some(9));
        assert_eq!(found, Some((Some("a".into()), 1)));
        assert_eq!(primary_of(&range(node(host("a"), 1)), Some(10)), None);
        for unknown in [Value::Nil, host(""), host("?")] {
            assert_eq!(primary_of(&range(node(unknown, 1)), Some(5)), Some((None, 1)));
        }
        assert_eq!(primary_of(&Value::Nil, None), None);
        assert_eq!(primary_of(&range(node(host("a"), 70_000)), Some(5)), None);
    }
}
