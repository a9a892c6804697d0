//! Which names were invalidated, when, and how long that has to be remembered.

use crate::domain::codec::ranges::{TIME, below, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::rc::Rc;

/// An invalidation: it concerns what was granted before its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub token: u64,
    pub at: UnixMs,
}

/// The newest invalidation of each name.
///
/// Two rules bound what is kept, and neither lets anything invalidated come back:
///
/// - A mark goes when `until` has passed: by then nothing is left that was granted before it.
/// - Of more than `most` names the oldest goes, and *all* that was granted before it counts as invalidated
///   from then on: some entries are loaded again without need.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    by_name: BTreeMap<Rc<[u8]>, Kept>,
    /// The same, oldest first.
    by_age: BTreeSet<(u64, Rc<[u8]>)>,
    /// What concerns every name.
    floor: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    mark: Mark,
    /// [`FOREVER`] when something may last for ever.
    until: UnixMs,
}

/// The `until` of a mark that concerns something without an end.
pub(crate) const FOREVER: UnixMs = UnixMs::MAX;

impl Marks {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.floor.is_none()
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The newest invalidation of exactly this name, or of all.
    pub fn of(&self, name: &[u8]) -> Option<Mark> {
        self.by_name.get(name).map(|kept| kept.mark).max(self.floor)
    }

    /// The newest invalidation of a name with which `key` begins, or of all.
    ///
    /// [`Marks::add_prefix`] drops the names that a new one covers, so the longest name is the newest.
    pub fn of_prefix(&self, key: &[u8]) -> Option<Mark> {
        let mut reach = key.len();
        loop {
            // Names in byte order: a prefix of the key stands behind all others that are not above it.
            let below = self.by_name.range::<[u8], _>((Unbounded, Included(&key[..reach]))).next_back();
            let Some((name, kept)) = below else { return self.floor };
            let common = name.iter().zip(key).take_while(|(a, b)| a == b).count();
            if common == name.len() {
                return Some(kept.mark).max(self.floor);
            }
            reach = common;
        }
    }

    /// Notes the invalidation of a name, and drops what the rules allow.
    pub fn add(&mut self, name: &[u8], mark: Mark, until: UnixMs, most: usize) {
        self.remove(name);
        let name: Rc<[u8]> = Rc::from(name);
        self.by_age.insert((mark.token, Rc::clone(&name)));
        self.by_name.insert(name, Kept { mark, until });
        // Two at most, so that every call is short; one is added, so that the number still falls.
        for _ in 0..2 {
            let Some(kept) = self.oldest() else { return };
            let is_over = kept.until < mark.at;
            if !is_over && self.len() <= most {
                return;
            }
            if !is_over {
                self.floor = self.floor.max(Some(kept.mark));
            }
            self.by_age.pop_first().inspect(|(_, name)| {
                self.by_name.remove(name);
            });
        }
    }

    /// As [`Marks::add`], for names that stand for all which begin with them.
    pub fn add_prefix(&mut self, name: &[u8], mark: Mark, until: UnixMs, most: usize) {
        let covered: Vec<Rc<[u8]>> = self
            .by_name
            .range::<[u8], _>((Included(name), Unbounded))
            .map(|(other, _)| Rc::clone(other))
            .take_while(|other| other.starts_with(name))
            .collect();
        covered.iter().for_each(|other| self.remove(other));
        self.add(name, mark, until, most);
    }

    fn oldest(&self) -> Option<Kept> {
        let (_, name) = self.by_age.first()?;
        self.by_name.get(name).copied()
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some((name, kept)) = self.by_name.remove_entry(name) {
            self.by_age.remove(&(kept.mark.token, name));
        }
    }

    pub fn write(&self, w: &mut Writer) {
        w.option(self.floor, write_mark);
        w.int(self.len() as u64);
        for (name, kept) in &self.by_name {
            w.bytes(name);
            write_mark(w, kept.mark);
            w.option((kept.until != FOREVER).then_some(kept.until), Writer::int);
        }
    }

    pub fn read(r: &mut Reader<'_>, longest: usize) -> Result<Self, Corrupt> {
        let mut marks = Marks { floor: r.option(read_mark)?, ..Marks::default() };
        for _ in 0..r.int()? {
            let name = r.bytes()?;
            let in_order = marks.by_name.last_key_value().is_none_or(|(last, _)| **last < *name);
            if name.len() > longest || !in_order {
                return Err(Corrupt);
            }
            let mark = read_mark(r)?;
            let until = r.option(read_until)?.unwrap_or(FOREVER);
            let name: Rc<[u8]> = Rc::from(name);
            marks.by_age.insert((mark.token, Rc::clone(&name)));
            marks.by_name.insert(name, Kept { mark, until });
        }
        Ok(marks)
    }
}

fn write_mark(w: &mut Writer, mark: Mark) {
    w.int(mark.token);
    w.int(mark.at);
}

fn read_mark(r: &mut Reader<'_>) -> Result<Mark, Corrupt> {
    Ok(Mark { token: read_token(r)?, at: read_time(r)? })
}

/// The end of what is kept: a time, and the longest durations behind it.
pub(crate) fn read_until(r: &mut Reader<'_>) -> Result<UnixMs, Corrupt> {
    below(r, 4 * TIME)
}
