//! All that the module holds on a server, as its digests tell.

use std::collections::BTreeMap;

use super::client::Client;
use super::reply::Reply;

/// The digest of the server, and type, digest and expiry of each key. Equal snapshots, equal state.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    whole: Reply,
    keys: BTreeMap<Vec<u8>, Key>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    kind: String,
    digest: Reply,
    expires_at: i64,
}

impl Snapshot {
    #[track_caller]
    pub fn of(client: &Client) -> Snapshot {
        let names = client.ok("KEYS *");
        let mut keys = BTreeMap::new();
        for names in names.items().chunks(1_000) {
            let ask = |name: &Reply| {
                ["TYPE", "WORKGATE.DIGEST", "PEXPIRETIME"]
                    .map(|command| vec![command.as_bytes().to_vec(), name.bytes().to_vec()])
            };
            let replies = client.pipeline(names.iter().flat_map(ask));
            for (name, told) in names.iter().zip(replies.chunks(3)) {
                let [kind, digest, expires_at] = told else { panic!("three replies") };
                assert!(!digest.is_error(), "WORKGATE.DIGEST {name:?}: {digest:?}");
                let seen = Key { kind: kind.text(), digest: digest.clone(), expires_at: expires_at.int() };
                keys.insert(name.bytes().to_vec(), seen);
            }
        }
        Snapshot { whole: client.ok("WORKGATE.DIGEST"), keys }
    }

    /// Digest and expiry of each key, without what the server holds besides keys.
    pub fn keys(&self) -> &BTreeMap<Vec<u8>, Key> {
        &self.keys
    }

    /// The keys in which two of them differ; empty too where only what lies beside the keys does.
    pub fn differences(&self, other: &Snapshot) -> Vec<String> {
        let all = self.keys.keys().chain(other.keys.keys());
        let all: std::collections::BTreeSet<&Vec<u8>> = all.collect();
        let differ = all.into_iter().filter(|key| self.keys.get(*key) != other.keys.get(*key));
        differ.map(|key| key.escape_ascii().to_string()).collect()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
