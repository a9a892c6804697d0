//! The queue's own counts.

use redis::Value;
use redis::aio::MultiplexedConnection;
use redis::cmd;

use crate::frontend::QUEUE;
use crate::reply;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub ready: u64,
    pub delayed: u64,
    pub active: u64,
    pub done: u64,
    pub dead: u64,
}

impl Stats {
    pub async fn get(connection: &mut MultiplexedConnection) -> Result<Self, String> {
        let reply: Value = cmd("JOBQ.STATS")
            .arg(QUEUE)
            .query_async(connection)
            .await
            .map_err(|error| format!("JOBQ.STATS: {error}"))?;
        Self::read(&reply).ok_or_else(|| format!("JOBQ.STATS answered {reply:?}"))
    }

    /// A map, or on RESP2 the flat array of one. None unless all five counts are in it.
    fn read(answer: &Value) -> Option<Self> {
        let count = |name| reply::field(answer, name).and_then(reply::integer)?.try_into().ok();
        Some(Stats {
            ready: count("ready")?,
            delayed: count("delayed")?,
            active: count("active")?,
            done: count("done")?,
            dead: count("dead")?,
        })
    }

    pub fn finished(&self) -> u64 {
        self.done + self.dead
    }

    pub fn unfinished(&self) -> u64 {
        self.ready + self.delayed + self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_five_counts_are_read_and_none_may_be_missing() {
        let name = |name: &str| Value::SimpleString(name.into());
        let flat: Vec<Value> = ["dead", "done", "blocked", "active", "delayed", "ready"]
            .into_iter()
            .zip(1..)
            .flat_map(|(text, count)| [name(text), Value::Int(count)])
            .collect();
        let expected = Stats { ready: 6, delayed: 5, active: 4, done: 2, dead: 1 };
        assert_eq!(Stats::read(&Value::Array(flat.clone())), Some(expected));
        assert_eq!((expected.finished(), expected.unfinished()), (3, 15));
        assert_eq!(Stats::read(&Value::Array(flat[2..].to_vec())), None);
        assert_eq!(Stats::read(&Value::Nil), None);
    }
}
