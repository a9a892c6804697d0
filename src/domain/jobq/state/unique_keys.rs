//! The keys of UNIQUE and their holders.

use crate::domain::jobq::state::serial::Serial;
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a job holds its key, but for a FOR that is over earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is popped for the first time.
    Start,
    /// Until it has ended in whichever way.
    Done,
    /// Until its FOR is over, whatever becomes of the job.
    Time,
}

impl Until {
    pub(crate) const ALL: [Until; 3] = [Until::Start, Until::Done, Until::Time];
}

/// What a job is to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// It has let go of it.
    Past,
    Holds,
    /// It takes the key when its holder lets go.
    Next,
}

impl KeyRole {
    pub(crate) const ALL: [KeyRole; 3] = [KeyRole::Past, KeyRole::Holds, KeyRole::Next];
}

/// The key of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub key: Arc<[u8]>,
    pub until: Until,
    /// FOR, in milliseconds; 0 is without.
    pub window: u64,
    pub role: KeyRole,
    /// When its FOR is over; 0 when it holds nothing, or has none.
    pub free_at: UnixMs,
    /// The push that began the chain of replaced holders, for MAXWAIT.
    pub since: UnixMs,
}

/// The holder of a unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyHolder {
    /// Only while loading: its job comes later.
    NotLoaded,
    Job(Serial),
    /// The key has outlived its job, which had this id.
    Gone(Box<[u8]>),
}

/// A key that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldKey {
    pub holder: KeyHolder,
    pub next: Option<Serial>,
    /// When its FOR is over; 0 when it has none.
    pub free_at: UnixMs,
}

impl HeldKey {
    pub(crate) fn role_of(&self, serial: Serial) -> Option<KeyRole> {
        if self.next == Some(serial) {
            return Some(KeyRole::Next);
        }
        (self.holder == KeyHolder::Job(serial)).then_some(KeyRole::Holds)
    }
}

/// All keys that are held.
#[derive(Debug, Default)]
pub(crate) struct UniqueKeys {
    pub held: BTreeMap<Arc<[u8]>, HeldKey>,
    /// Those with a FOR, by when it is over.
    pub ends: BTreeSet<(UnixMs, Arc<[u8]>)>,
}

impl UniqueKeys {
    /// Notes the role of a job that is added; false when another one has it.
    pub fn insert(&mut self, serial: Serial, unique: &Unique) -> bool {
        if unique.role == KeyRole::Past {
            return true;
        }
        let nobody = || HeldKey { holder: KeyHolder::NotLoaded, next: None, free_at: 0 };
        let claim = self.held.entry(Arc::clone(&unique.key)).or_insert_with(nobody);
        if unique.role == KeyRole::Next {
            let first = claim.next.is_none();
            claim.next = claim.next.or(Some(serial));
            return first;
        }
        if claim.holder != KeyHolder::NotLoaded {
            return false;
        }
        (claim.holder, claim.free_at) = (KeyHolder::Job(serial), unique.free_at);
        self.note_end(&unique.key, unique.free_at);
        true
    }

    /// A key that has outlived its job; false when it is held.
    pub fn restore_orphan(&mut self, key: &Arc<[u8]>, id: Box<[u8]>, free_at: UnixMs) -> bool {
        let claim = HeldKey { holder: KeyHolder::Gone(id), next: None, free_at };
        self.note_end(key, free_at);
        self.held.insert(Arc::clone(key), claim).is_none()
    }

    pub(crate) fn note_end(&mut self, key: &Arc<[u8]>, free_at: UnixMs) {
        if free_at > 0 {
            self.ends.insert((free_at, Arc::clone(key)));
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<HeldKey> {
        let (key, claim) = self.held.remove_entry(key)?;
        self.ends.remove(&(claim.free_at, key));
        Some(claim)
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.held.len() * 110 + self.ends.len() * 40
    }
}
