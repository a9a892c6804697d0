//! The log of invalidated names: when each was invalidated, and how long the log keeps it.

use crate::domain::codec::ranges::{TIME, below, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::rc::Rc;

/// Whether the names of an invalidation are tags or prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Entries that were stored with one of these tags, and loads that will be.
    Tag,
    /// Entries and loads whose keys begin with one of these, in all databases.
    Prefix,
}

/// An invalidation. It applies to values and leases whose tokens are lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invalidation {
    pub token: u64,
    pub at: UnixMs,
}

/// The newest invalidation of each name.
///
/// Two rules bound the log. Neither makes an invalidated value fresh again:
///
/// - A name is dropped when `until` has passed: by then every older value and lease has ended.
/// - Of more than `most` names the oldest is dropped, and from then on *everything* granted before
///   it counts as invalidated: some entries are loaded again without need.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct InvalidationLog {
    by_name: BTreeMap<Rc<[u8]>, Retained>,
    /// The same names, oldest first.
    by_age: BTreeSet<(u64, Rc<[u8]>)>,
    /// An invalidation of every name.
    all_before: Option<Invalidation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Retained {
    invalidation: Invalidation,
    /// [`FOREVER`] when a value without a TTL may exist.
    until: UnixMs,
}

/// The `until` of an invalidation that may apply to a value without a TTL.
pub(crate) const FOREVER: UnixMs = UnixMs::MAX;

impl InvalidationLog {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.all_before.is_none()
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns the newest invalidation of exactly this name, or of every name.
    pub fn newest_of(&self, name: &[u8]) -> Option<Invalidation> {
        self.by_name.get(name).map(|retained| retained.invalidation).max(self.all_before)
    }

    /// Returns the newest invalidation of a name with which `key` begins, or of every name.
    ///
    /// [`InvalidationLog::add_prefix`] drops the names that a new one covers, so the longest name
    /// is the newest.
    pub fn newest_covering(&self, key: &[u8]) -> Option<Invalidation> {
        let mut length = key.len();
        loop {
            // In byte order the longest prefix of the key is the last name that is not greater than
            // the key.
            let below = self.by_name.range::<[u8], _>((Unbounded, Included(&key[..length]))).next_back();
            let Some((name, retained)) = below else { return self.all_before };
            let common = name.iter().zip(key).take_while(|(a, b)| a == b).count();
            if common == name.len() {
                return Some(retained.invalidation).max(self.all_before);
            }
            length = common;
        }
    }

    /// The highest token of an invalidation, 0 if there is none.
    pub fn highest_token(&self) -> u64 {
        let of_names = self.by_age.last().map_or(0, |(token, _)| *token);
        of_names.max(self.all_before.map_or(0, |invalidation| invalidation.token))
    }

    /// Adds the invalidation of a name and drops the names that the two rules allow to drop.
    pub fn add(&mut self, name: &[u8], invalidation: Invalidation, until: UnixMs, most: usize) {
        self.remove(name);
        let name: Rc<[u8]> = Rc::from(name);
        self.by_age.insert((invalidation.token, Rc::clone(&name)));
        self.by_name.insert(name, Retained { invalidation, until });
        // Drops two names at most, so that every call is short. One is added, so the number still
        // falls.
        for _ in 0..2 {
            let Some(retained) = self.oldest() else { return };
            let is_over = retained.until < invalidation.at;
            if !is_over && self.len() <= most {
                return;
            }
            if !is_over {
                self.all_before = self.all_before.max(Some(retained.invalidation));
            }
            self.by_age.pop_first().inspect(|(_, name)| {
                self.by_name.remove(name);
            });
        }
    }

    /// Like [`InvalidationLog::add`], for a name that covers all names which begin with it.
    pub fn add_prefix(&mut self, name: &[u8], invalidation: Invalidation, until: UnixMs, most: usize) {
        self.remove_covered(name);
        self.add(name, invalidation, until, most);
    }

    /// Removes all names that begin with this one.
    pub fn remove_covered(&mut self, name: &[u8]) {
        let covered: Vec<Rc<[u8]>> = self
            .by_name
            .range::<[u8], _>((Included(name), Unbounded))
            .map(|(other, _)| Rc::clone(other))
            .take_while(|other| other.starts_with(name))
            .collect();
        covered.iter().for_each(|other| self.remove(other));
    }

    fn oldest(&self) -> Option<Retained> {
        let (_, name) = self.by_age.first()?;
        self.by_name.get(name).copied()
    }

    pub fn remove(&mut self, name: &[u8]) {
        if let Some((name, retained)) = self.by_name.remove_entry(name) {
            self.by_age.remove(&(retained.invalidation.token, name));
        }
    }

    pub fn write(&self, w: &mut Writer) {
        w.option(self.all_before, write_invalidation);
        w.int(self.len() as u64);
        for (name, retained) in &self.by_name {
            w.bytes(name);
            write_invalidation(w, retained.invalidation);
            w.option((retained.until != FOREVER).then_some(retained.until), Writer::int);
        }
    }

    pub fn read(r: &mut Reader<'_>, longest: usize) -> Result<Self, Corrupt> {
        let mut log =
            InvalidationLog { all_before: r.option(read_invalidation)?, ..InvalidationLog::default() };
        for _ in 0..r.int()? {
            let name = r.bytes()?;
            let in_order = log.by_name.last_key_value().is_none_or(|(last, _)| **last < *name);
            if name.len() > longest || !in_order {
                return Err(Corrupt);
            }
            let invalidation = read_invalidation(r)?;
            let until = r.option(read_until)?.unwrap_or(FOREVER);
            let name: Rc<[u8]> = Rc::from(name);
            log.by_age.insert((invalidation.token, Rc::clone(&name)));
            log.by_name.insert(name, Retained { invalidation, until });
        }
        Ok(log)
    }
}

fn write_invalidation(w: &mut Writer, invalidation: Invalidation) {
    w.int(invalidation.token);
    w.int(invalidation.at);
}

/// A long token is rounded up, as it stands for 64 of which some come later: some entries are
/// loaded again without need, and none that was invalidated becomes fresh.
pub(crate) fn read_invalidation(r: &mut Reader<'_>) -> Result<Invalidation, Corrupt> {
    let token = read_token(r)? + u64::from(r.has_long_tokens());
    Ok(Invalidation { token, at: read_time(r)? })
}

/// Reads an `until`: a time, and the longest durations after it.
pub(crate) fn read_until(r: &mut Reader<'_>) -> Result<UnixMs, Corrupt> {
    below(r, 4 * TIME)
}
