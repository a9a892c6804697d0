//! The keys of UNIQUE and who holds them.

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
pub enum Role {
    /// It has let go of it.
    Past,
    Holds,
    /// It takes the key when its holder lets go.
    Next,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Past, Role::Holds, Role::Next];
}

/// The key of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub key: Arc<[u8]>,
    pub until: Until,
    /// FOR, in milliseconds; 0 is without.
    pub window: u64,
    pub role: Role,
    /// When its FOR is over; 0 when it holds nothing, or has none.
    pub frees: UnixMs,
}

/// Who has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Only while loading: its job comes later.
    Nobody,
    Job(Serial),
    /// The key has outlived its job, which had this id.
    Gone(Box<[u8]>),
}

/// A key that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub holder: Holder,
    pub next: Option<Serial>,
    /// When its FOR is over; 0 when it has none.
    pub frees: UnixMs,
}

impl Claim {
    pub(crate) fn role_of(&self, serial: Serial) -> Option<Role> {
        if self.next == Some(serial) {
            return Some(Role::Next);
        }
        (self.holder == Holder::Job(serial)).then_some(Role::Holds)
    }
}

/// All keys that are held.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    pub claims: BTreeMap<Arc<[u8]>, Claim>,
    /// Those with a FOR, by when it is over.
    pub ends: BTreeSet<(UnixMs, Arc<[u8]>)>,
}

impl Keys {
    /// Notes the role of a job that is added; false when another one has it.
    pub fn enter(&mut self, serial: Serial, unique: &Unique) -> bool {
        if unique.role == Role::Past {
            return true;
        }
        let nobody = || Claim { holder: Holder::Nobody, next: None, frees: 0 };
        let claim = self.claims.entry(Arc::clone(&unique.key)).or_insert_with(nobody);
        if unique.role == Role::Next {
            let first = claim.next.is_none();
            claim.next = claim.next.or(Some(serial));
            return first;
        }
        if claim.holder != Holder::Nobody {
            return false;
        }
        (claim.holder, claim.frees) = (Holder::Job(serial), unique.frees);
        self.note_end(&unique.key, unique.frees);
        true
    }

    /// A key that has outlived its job; false when it is held.
    pub fn enter_gone(&mut self, key: &Arc<[u8]>, id: Box<[u8]>, frees: UnixMs) -> bool {
        let claim = Claim { holder: Holder::Gone(id), next: None, frees };
        self.note_end(key, frees);
        self.claims.insert(Arc::clone(key), claim).is_none()
    }

    pub(crate) fn note_end(&mut self, key: &Arc<[u8]>, frees: UnixMs) {
        if frees > 0 {
            self.ends.insert((frees, Arc::clone(key)));
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Claim> {
        let (key, claim) = self.claims.remove_entry(key)?;
        self.ends.remove(&(claim.frees, key));
        Some(claim)
    }

    /// Roughly.
    pub fn memory(&self) -> usize {
        self.claims.len() * 110 + self.ends.len() * 40
    }
}
