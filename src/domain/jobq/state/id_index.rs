//! Ids that their pushers chose, found without keeping each a second time.

use crate::domain::jobq::state::serial::Serial;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// The serials of jobs by the hashes of their ids. It is a tree because a hash table of millions
/// takes a long pause to grow. The hashes are keyed, so that no client can choose ids that collide.
#[derive(Debug, Default)]
pub(crate) struct IdIndex {
    serials: BTreeSet<(u64, Serial)>,
    hasher: RandomState,
}

impl IdIndex {
    /// Jobs that may have this id: the one that has it, and hardly ever another.
    pub fn candidates(&self, id: &[u8]) -> impl Iterator<Item = Serial> + use<'_> {
        let hash = self.hasher.hash_one(id);
        self.serials.range((hash, 0)..=(hash, Serial::MAX)).map(|(_, serial)| *serial)
    }

    pub fn insert(&mut self, id: &[u8], serial: Serial) {
        self.serials.insert((self.hasher.hash_one(id), serial));
    }

    pub fn remove(&mut self, id: &[u8], serial: Serial) {
        self.serials.remove(&(self.hasher.hash_one(id), serial));
    }
}
