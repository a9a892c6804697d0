//! Where jobs come from: queues and their shards, grouped by what one JOBQ.POP can ask for.

use crate::redis::connection::Fault;
use crate::redis::shared_connection::SharedConnection;

/// The most shards of a queue.
pub const MOST_SHARDS: u16 = 100;

/// The most keys of one POP: the first and 100 behind ALSO.
const MOST_KEYS: usize = 101;

/// The keys of one queue: itself, or its shards `q:{0}`, `q:{1}` and so on.
pub fn keys_of(queue: &str, shards: Option<u16>) -> Vec<String> {
    match shards {
        Some(shards) => (0..shards).map(|shard| format!("{queue}:{{{shard}}}")).collect(),
        None => vec![queue.to_owned()],
    }
}

/// Keys that one POP can ask for together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The slot that they share, in a cluster.
    pub slot: Option<i64>,
    /// For each queue its shards.
    queues: Vec<Vec<String>>,
    turn: usize,
}

impl Source {
    fn of(slot: Option<i64>, queues: Vec<Vec<String>>) -> Self {
        Source { slot, queues, turn: 0 }
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.queues.iter().flatten().map(String::as_str)
    }

    /// The keys for the next POP, which serves them strictly in this order: queue by queue, the
    /// shards of each beginning with another one every time.
    pub fn next_keys(&mut self) -> Vec<String> {
        let turn = self.turn;
        self.turn = turn.wrapping_add(1);
        let turned = |shards: &Vec<String>| {
            let at = turn % shards.len().max(1);
            [&shards[at..], &shards[..at]].concat()
        };
        self.queues.iter().flat_map(turned).collect()
    }
}

/// All sources: one of all keys, or in a cluster one for each slot.
pub async fn sources(
    link: &SharedConnection,
    queues: &[String],
    shards: Option<u16>,
) -> Result<Vec<Source>, Fault> {
    let keys: Vec<Vec<String>> = queues.iter().map(|queue| keys_of(queue, shards)).collect();
    let sources = match link {
        SharedConnection::Single(_) => vec![Source::of(None, keys)],
        SharedConnection::Cluster(cluster) => {
            let mut slots = Vec::new();
            for keys in &keys {
                let mut row = Vec::new();
                for key in keys {
                    row.push(cluster.slot(key.as_bytes()).await?);
                }
                slots.push(row);
            }
            by_slot(keys, &slots)
        }
    };
    match sources.iter().map(|source| source.keys().count()).max() {
        Some(most) if most > MOST_KEYS => Err(Fault::Refused {
            code: "ERR".into(),
            text: format!(
                "{most} queues and shards would be asked for in one POP, at most {MOST_KEYS} can be: give fewer \
                 --queue or --shards"
            ),
        }),
        _ => Ok(sources),
    }
}

/// In the order in which the slots first come.
fn by_slot(keys: Vec<Vec<String>>, slots: &[Vec<i64>]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for (keys, slots) in keys.into_iter().zip(slots) {
        // This queue's shards in each slot: mostly one.
        let mut shares: Vec<(i64, Vec<String>)> = Vec::new();
        for (key, slot) in keys.into_iter().zip(slots) {
            match shares.iter_mut().find(|(of, _)| of == slot) {
                Some((_, share)) => share.push(key),
                None => shares.push((*slot, vec![key])),
            }
        }
        for (slot, share) in shares {
            match sources.iter_mut().find(|source| source.slot == Some(slot)) {
                Some(source) => source.queues.push(share),
                None => sources.push(Source::of(Some(slot), vec![share])),
            }
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::connection::Server;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    async fn single(queues: &[&str], shards: Option<u16>) -> Result<Vec<Source>, Fault> {
        let link = SharedConnection::to(
            Server::at("redis://127.0.0.1:1", crate::redis::tls::TlsFiles::default()).unwrap(),
        );
        sources(&link, &names(queues), shards).await
    }

    #[tokio::test]
    async fn without_shards_the_queues_keep_their_order() {
        let mut all = single(&["b", "a"], None).await.unwrap();
        assert_eq!(all.len(), 1);
        for _ in 0..3 {
            assert_eq!(all[0].next_keys(), ["b", "a"]);
        }
    }

    #[tokio::test]
    async fn shards_take_turns_in_being_first_and_queues_do_not() {
        let mut all = single(&["a", "b"], Some(3)).await.unwrap();
        assert_eq!(all[0].next_keys(), ["a:{0}", "a:{1}", "a:{2}", "b:{0}", "b:{1}", "b:{2}"]);
        assert_eq!(all[0].next_keys(), ["a:{1}", "a:{2}", "a:{0}", "b:{1}", "b:{2}", "b:{0}"]);
        assert_eq!(all[0].keys().next(), Some("a:{0}"));
    }

    #[tokio::test]
    async fn more_keys_than_a_pop_takes_are_refused() {
        assert!(single(&["a"], Some(100)).await.is_ok());
        let fault = single(&["a", "b"], Some(51)).await.unwrap_err().to_string();
        assert!(fault.contains("102") && fault.contains("at most 101"), "{fault}");
    }

    #[test]
    fn in_a_cluster_each_slot_is_a_source_of_its_own() {
        let keys = vec![keys_of("a", Some(2)), keys_of("b", Some(2)), keys_of("c{x}", Some(2))];
        let mut all = by_slot(keys, &[vec![7, 9], vec![7, 9], vec![3, 3]]);
        let slots: Vec<_> = all.iter().map(|source| source.slot).collect();
        assert_eq!(slots, [Some(7), Some(9), Some(3)]);
        assert_eq!(all[0].next_keys(), ["a:{0}", "b:{0}"]);
        assert_eq!(all[1].next_keys(), ["a:{1}", "b:{1}"]);
        all[2].next_keys();
        assert_eq!(all[2].next_keys(), ["c{x}:{1}", "c{x}:{0}"]);
    }
}
