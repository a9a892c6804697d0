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
        let keys = client.ok("KEYS *");
        let keys = keys.items().iter().map(|key| {
            let key = key.bytes().to_vec();
            let ask = |command: &str| client.ok(vec![command.as_bytes().to_vec(), key.clone()]);
            let seen = Key {
                kind: ask("TYPE").text(),
                digest: ask("WORKGATE.DIGEST"),
                expires_at: ask("PEXPIRETIME").int(),
            };
            (key.clone(), seen)
        });
        let keys = keys.collect();
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
