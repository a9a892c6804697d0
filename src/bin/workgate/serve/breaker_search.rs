//! The breakers of a server. It has no list of them, so SCAN looks for them bit by bit: each look
//! goes on where the last one stopped, and what it found is remembered.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Value, cmd};
use tokio::sync::Mutex;

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::nodes::{Node, Nodes};

/// How the server calls a breaker's type.
const TYPE_NAME: &str = "workgateB";

/// One look at a node: so many calls, of so many keys each.
const CALLS_OF_ONE_LOOK: usize = 10;
const KEYS_OF_ONE_CALL: usize = 500;

/// The most breakers of a node that are remembered.
const MOST_BREAKERS: usize = 1_000;

/// A breaker, with what BREAKER.GET says of it.
#[derive(Debug, Clone)]
pub struct Breaker {
    pub key: Vec<u8>,
    pub facts: Value,
}

#[derive(Debug, Default)]
struct Search {
    /// None when SCAN is to begin.
    cursor: Option<Vec<u8>>,
    /// The whole keyspace has been looked at once.
    is_complete: bool,
    found: BTreeSet<Vec<u8>>,
}

/// How far each node has been looked through.
#[derive(Debug, Default)]
pub struct BreakerSearch {
    by_node: Mutex<BTreeMap<String, Search>>,
}

/// What has been found up to now.
#[derive(Debug, Default)]
pub struct Found {
    pub breakers: Vec<Breaker>,
    /// False while keys are left that nobody has looked at yet.
    pub is_complete: bool,
}

impl BreakerSearch {
    /// Looks on, and asks for those that are known.
    pub async fn look(&self, nodes: &Nodes) -> Result<Found, Fault> {
        let mut by_node = self.by_node.lock().await;
        let mut all = Found { breakers: Vec::new(), is_complete: true };
        for node in nodes.primaries().await? {
            let search = by_node.entry(node.address.clone()).or_default();
            search.look_on(&node).await?;
            let keys: Vec<Vec<u8>> = search.found.iter().cloned().collect();
            let commands: Vec<_> = keys
                .iter()
                .map(|key| {
                    let mut command = cmd("BREAKER.GET");
                    command.arg(key);
                    command
                })
                .collect();
            for (key, reply) in keys.into_iter().zip(node.call_all(&commands).await) {
                match reply {
                    Ok(facts) => all.breakers.push(Breaker { key, facts }),
                    Err(fault @ Fault::Unreachable(_)) => return Err(fault),
                    Err(_) => drop(search.found.remove(&key)),
                }
            }
            all.is_complete &= search.is_complete;
        }
        Ok(all)
    }
}

impl Search {
    async fn look_on(&mut self, node: &Node) -> Result<(), Fault> {
        if self.cursor.is_none() {
            self.forget_those_gone(node).await?;
        }
        for _ in 0..CALLS_OF_ONE_LOOK {
            let mut command = cmd("SCAN");
            command.arg(self.cursor.as_deref().unwrap_or(b"0"));
            command.arg("COUNT").arg(KEYS_OF_ONE_CALL).arg("TYPE").arg(TYPE_NAME);
            let page = node.call(&command).await?;
            let read = reply::array(&page)
                .and_then(|page| Some((reply::bytes(page.first()?)?, reply::array(page.get(1)?)?)));
            let (next, keys) = read.ok_or_else(|| Fault::unexpected("SCAN", &page))?;
            for key in keys.iter().filter_map(reply::bytes) {
                if self.found.len() < MOST_BREAKERS {
                    self.found.insert(key.to_vec());
                }
            }
            if next == b"0" {
                self.cursor = None;
                self.is_complete = true;
                return Ok(());
            }
            self.cursor = Some(next.to_vec());
        }
        Ok(())
    }

    /// A missing key answers as a closed breaker, so the server is asked which are there.
    async fn forget_those_gone(&mut self, node: &Node) -> Result<(), Fault> {
        let keys: Vec<Vec<u8>> = self.found.iter().cloned().collect();
        let commands: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut command = cmd("EXISTS");
                command.arg(key);
                command
            })
            .collect();
        for (key, reply) in keys.iter().zip(node.call_all(&commands).await) {
            match reply {
                Ok(Value::Int(0)) => drop(self.found.remove(key)),
                Ok(_) | Err(Fault::Refused { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}
