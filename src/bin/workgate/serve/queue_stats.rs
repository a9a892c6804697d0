//! JOBQ.STATS of many queues, asked for at most once a second however many look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Value, cmd};
use tokio::sync::Mutex;

use crate::redis::connection::Fault;
use crate::reply;
use crate::serve::nodes::{Node, Nodes};

pub const STATES: [&str; 6] = ["ready", "delayed", "active", "blocked", "done", "dead"];

/// How long an answer is shown to others.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How many names one JOBQ.QUEUES is asked for.
const NAMES_OF_ONE_CALL: usize = 200;

/// One queue. What the server does not say is 0.
#[derive(Debug, Clone, Default)]
pub struct QueueStats {
    pub key: Vec<u8>,
    /// In the order of [`STATES`].
    pub jobs: [u64; 6],
    pub oldest_ready_ms: u64,
    pub pushed: u64,
    pub acked: u64,
    pub failed: u64,
    pub retried: u64,
    pub stalled: u64,
    pub died: u64,
    pub expired: u64,
    pub is_paused: bool,
    /// Pushes are refused too.
    pub is_closed: bool,
    pub paused_until_ms: Option<u64>,
    pub last_event: u64,
    pub done_per_min: u64,
}

impl QueueStats {
    pub fn read(key: &[u8], reply: &Value) -> Self {
        let count = |name| whole(reply, name).unwrap_or(0);
        let paused = reply::field(reply, "paused");
        let word = paused.and_then(reply::text);
        QueueStats {
            key: key.to_vec(),
            jobs: STATES.map(count),
            oldest_ready_ms: count("oldest_ready_ms"),
            pushed: count("pushed"),
            acked: count("acked"),
            failed: count("failed"),
            retried: count("retried"),
            stalled: count("stalled"),
            died: count("died"),
            expired: count("expired"),
            is_paused: paused.is_some_and(reply::is_true)
                || word.is_some_and(|word| word.starts_with("pops")),
            is_closed: word == Some("pops and pushes"),
            paused_until_ms: whole(reply, "paused_until_ms"),
            last_event: count("last_event"),
            done_per_min: count("done_per_min"),
        }
    }
}

fn whole(map: &Value, name: &str) -> Option<u64> {
    // No count of the server is above 2^53.
    reply::field(map, name).and_then(reply::number).map(|number| number.max(0.0) as u64)
}

/// All queues as they were at most a second ago.
#[derive(Debug, Default)]
pub struct QueueBoard {
    last: Mutex<Option<(Instant, Arc<Vec<QueueStats>>)>>,
}

impl QueueBoard {
    /// All queues of the server, or those that are named.
    pub async fn all(&self, nodes: &Nodes, named: Option<&[String]>) -> Result<Arc<Vec<QueueStats>>, Fault> {
        // Who comes meanwhile waits for this answer.
        let mut last = self.last.lock().await;
        if let Some((at, queues)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return Ok(queues.clone());
        }
        let queues = match named {
            Some(keys) => {
                let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.clone().into_bytes()).collect();
                let commands: Vec<_> = keys.iter().map(|key| stats_of(key)).collect();
                read(&keys, nodes.call_all(&commands).await)?
            }
            None => {
                let mut all = Vec::new();
                for node in nodes.primaries().await? {
                    let keys = keys_of(&node).await?;
                    let commands: Vec<_> = keys.iter().map(|key| stats_of(key)).collect();
                    all.extend(read(&keys, node.call_all(&commands).await)?);
                }
                all
            }
        };
        let queues = Arc::new(queues);
        *last = Some((Instant::now(), queues.clone()));
        Ok(queues)
    }

    /// The next look asks the server: something has just been changed.
    pub async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

fn stats_of(key: &[u8]) -> redis::Cmd {
    let mut command = cmd("JOBQ.STATS");
    command.arg(key);
    command
}

fn read(keys: &[Vec<u8>], replies: Vec<Result<Value, Fault>>) -> Result<Vec<QueueStats>, Fault> {
    let mut queues = Vec::with_capacity(keys.len());
    for (key, reply) in keys.iter().zip(replies) {
        match reply {
            Ok(reply) => queues.push(QueueStats::read(key, &reply)),
            // Another key of that name has taken its place, or this user may not read it.
            Err(fault) if fault.is("WRONGTYPE") || fault.is("NOPERM") => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(queues)
}

async fn keys_of(node: &Node) -> Result<Vec<Vec<u8>>, Fault> {
    let mut keys = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let mut command = cmd("JOBQ.QUEUES");
        command.arg("CURSOR").arg(&cursor).arg("COUNT").arg(NAMES_OF_ONE_CALL);
        let page = node.call(&command).await?;
        let read = reply::array(&page).and_then(|page| {
            let names = reply::array(page.get(1)?)?.iter().map(reply::bytes).collect::<Option<Vec<_>>>()?;
            Some((reply::bytes(&page[0])?, names))
        });
        let (next, names) = read.ok_or_else(|| Fault::unexpected("JOBQ.QUEUES", &page))?;
        keys.extend(names.into_iter().map(<[u8]>::to_vec));
        if next == b"0" {
            return Ok(keys);
        }
        cursor = next.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: Vec<(&str, Value)>) -> Value {
        Value::Map(fields.into_iter().map(|(name, value)| (Value::BulkString(name.into()), value)).collect())
    }

    #[test]
    fn a_pause_is_read_in_each_form() {
        let word = |word: &str| Value::BulkString(word.into());
        for (paused, is_paused, is_closed) in [
            (word("no"), false, false),
            (word("pops"), true, false),
            (word("pops and pushes"), true, true),
            (Value::Boolean(true), true, false),
            (Value::Boolean(false), false, false),
        ] {
            let stats = QueueStats::read(b"q", &map(vec![("paused", paused), ("dead", Value::Int(3))]));
            assert_eq!((stats.is_paused, stats.is_closed, stats.jobs[5]), (is_paused, is_closed, 3));
        }
    }
}
