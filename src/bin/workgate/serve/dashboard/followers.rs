//! Who follows a queue: one wait at the server for all pages that show the queue.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::cmd;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::redis::connection::{Connection, Fault};
use crate::redis::reconnect_backoff::ReconnectBackoff;
use crate::reply;
use crate::serve::nodes::Nodes;

/// How long one JOBQ.EVENTS waits.
const BLOCK: &str = "10s";

/// The most queues that are followed at once; pages of others look again every few seconds.
const MOST_QUEUES: usize = 100;

/// How long after an event the next ones are waited for together.
const GATHER: Duration = Duration::from_millis(300);

/// Queues by key; the number rises with whatever happens in the queue.
#[derive(Debug, Default, Clone)]
pub struct Followers {
    by_queue: Arc<Mutex<BTreeMap<Vec<u8>, watch::Sender<u64>>>>,
}

impl Followers {
    /// None when too many queues are followed already.
    pub fn follow(&self, nodes: &Arc<Nodes>, queue: &[u8]) -> Option<watch::Receiver<u64>> {
        let mut by_queue = self.by_queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = by_queue.get(queue) {
            return Some(sender.subscribe());
        }
        if by_queue.len() >= MOST_QUEUES {
            return None;
        }
        let (sender, receiver) = watch::channel(0);
        by_queue.insert(queue.to_vec(), sender.clone());
        let (followers, nodes, queue) = (self.clone(), nodes.clone(), queue.to_vec());
        tokio::spawn(async move {
            let mut backoff = ReconnectBackoff::default();
            while let Err(fault) = followers.listen(&nodes, &queue, &sender).await {
                tracing::debug!("{} is not followed: {fault}", queue.escape_ascii());
                sleep(backoff.next()).await;
                if followers.is_left(&queue, &sender) {
                    break;
                }
            }
        });
        Some(receiver)
    }

    /// Ends without a fault when nobody follows the queue any more.
    async fn listen(&self, nodes: &Nodes, queue: &[u8], sender: &watch::Sender<u64>) -> Result<(), Fault> {
        let connection = nodes.connect_for(queue).await?;
        let stats = connection.call(cmd("JOBQ.STATS").arg(queue)).await?;
        let mut since = reply::field(&stats, "last_event").and_then(reply::integer).unwrap_or(0);
        loop {
            let news = next(&connection, queue, since).await?;
            if let Some(last) = news {
                since = last;
                sender.send_modify(|number| *number += 1);
                sleep(GATHER).await;
            }
            if self.is_left(queue, sender) {
                return Ok(());
            }
        }
    }

    /// Forgets a queue that nobody follows.
    fn is_left(&self, queue: &[u8], sender: &watch::Sender<u64>) -> bool {
        let mut by_queue = self.by_queue.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = sender.receiver_count() == 0;
        if is_left {
            by_queue.remove(queue);
        }
        is_left
    }
}

/// The number of the last of the events after `since`, once there are any.
async fn next(connection: &Connection, queue: &[u8], since: i64) -> Result<Option<i64>, Fault> {
    let mut command = cmd("JOBQ.EVENTS");
    command.arg(queue).arg(since).arg("COUNT").arg(1_000).arg("BLOCK").arg(BLOCK);
    let events = connection.call(&command).await?;
    let last = reply::array(&events).and_then(|rows| reply::array(rows.last()?));
    Ok(last.and_then(|row| reply::integer(row.first()?)))
}
