//! CACHE.INVALIDATE: what was stored, or is being loaded, under a tag or a prefix of key names is no longer
//! fresh.
//!
//! Nothing is looked for when it happens: a mark is kept, and whoever meets an entry compares its grant with
//! the marks of its tags and of its name.

pub(crate) mod registry;

use crate::domain::codec::ranges::{read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::refusal::Refusal;
use crate::domain::time::{HOUR, UnixMs};
use crate::domain::token::TokenClock;
use crate::domain::value;
use registry::{FOREVER, Invalidation, InvalidationLog, read_until};

/// The longest tag, in bytes.
pub const MAX_TAG_LEN: usize = 128;
/// The longest prefix, in bytes.
pub const MAX_PREFIX_LEN: usize = 1_024;
/// Invalidated tags that are remembered one by one.
pub const MAX_REMEMBERED_TAGS: usize = 65_536;
/// Invalidated prefixes that are remembered one by one.
pub const MAX_REMEMBERED_PREFIXES: usize = 4_096;

/// A mark is kept this much longer than what it concerns, for clocks that are set back.
const MARGIN_MS: u64 = HOUR;

/// What the names of an invalidation stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Entries that were stored with one of these tags, and loads that will be.
    Tag,
    /// Entries and loads whose keys begin with one of these, in all databases.
    Prefix,
}

/// Until when anything lasts that a server holds: an upper bound, which only rises.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LatestExpiry {
    /// Of entries with tags, and of leases, whose tags are not known yet.
    pub tagged: UnixMs,
    /// Of all entries.
    pub any: UnixMs,
}

impl LatestExpiry {
    pub const NONE: LatestExpiry = LatestExpiry { tagged: 0, any: 0 };

    /// The bound of both.
    pub fn join(self, other: LatestExpiry) -> LatestExpiry {
        LatestExpiry { tagged: self.tagged.max(other.tagged), any: self.any.max(other.any) }
    }
}

/// What was invalidated on a server.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Invalidations {
    tags: InvalidationLog,
    prefixes: InvalidationLog,
}

impl Invalidations {
    /// The newest invalidation that concerns an entry under `key` with these tags. It does so if it was
    /// granted before.
    pub fn newest_for<'t>(&self, key: &[u8], tags: impl Iterator<Item = &'t [u8]>) -> Option<Invalidation> {
        if self.is_empty() {
            return None;
        }
        tags.map(|tag| self.tags.newest_of(tag)).fold(self.prefixes.newest_covering(key), Ord::max)
    }

    /// How many tags and prefixes are remembered.
    pub fn counts(&self) -> (usize, usize) {
        (self.tags.len(), self.prefixes.len())
    }
}

/// A change of [`Invalidations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationEffect {
    pub scope: Scope,
    pub names: Vec<Box<[u8]>>,
    pub invalidation: Invalidation,
    /// When nothing is left that it concerns; nothing: never.
    pub until: Option<UnixMs>,
}

/// Sent again it invalidates again, also what was loaded in between.
pub fn decide_invalidate(
    scope: Scope,
    names: &[&[u8]],
    latest_expiry: LatestExpiry,
    now: UnixMs,
    tokens: &TokenClock,
) -> Result<Decision<(), InvalidationEffect>, Refusal> {
    let (what, least, longest) = match scope {
        Scope::Tag => ("tag", 1, MAX_TAG_LEN),
        Scope::Prefix => ("prefix", 0, MAX_PREFIX_LEN),
    };
    if let Some(wrong) = names.iter().find(|name| !(least..=longest).contains(&name.len())) {
        let length = wrong.len();
        return Err(Refusal::err(format!(
            "{what} of {length} bytes: must be {least} to {longest} bytes long"
        )));
    }
    let end = match scope {
        Scope::Tag => latest_expiry.tagged,
        Scope::Prefix => latest_expiry.any,
    };
    let invalidation = Invalidation { token: tokens.next(now), at: now };
    let until = (end != FOREVER).then(|| end.max(now).saturating_add(MARGIN_MS));
    let names = names.iter().map(|name| Box::from(*name)).collect();
    Ok(Decision::change((), InvalidationEffect { scope, names, invalidation, until }))
}

/// First byte of the encoded form.
const TAG: u8 = 1;
const PREFIX: u8 = 2;

impl value::Effect for InvalidationEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.byte(match self.scope {
            Scope::Tag => TAG,
            Scope::Prefix => PREFIX,
        });
        w.int(self.invalidation.token);
        w.int(self.invalidation.at);
        w.option(self.until, Writer::int);
        w.int(self.names.len() as u64);
        self.names.iter().for_each(|name| w.bytes(name));
        w.finish()
    }

    fn decode(head: &[u8], payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let mut r = Reader::new(head);
        let (scope, longest) = match (r.byte()?, payload) {
            (TAG, None) => (Scope::Tag, MAX_TAG_LEN),
            (PREFIX, None) => (Scope::Prefix, MAX_PREFIX_LEN),
            _ => return Err(Corrupt),
        };
        let invalidation = Invalidation { token: read_token(&mut r)?, at: read_time(&mut r)? };
        let until = r.option(read_until)?;
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for _ in 0..r.int()? {
            names.push(Box::from(r.bytes()?));
        }
        r.end()?;
        if names.iter().any(|name| name.len() > longest) {
            return Err(Corrupt);
        }
        Ok(InvalidationEffect { scope, names, invalidation, until })
    }

    fn highest_token(&self) -> u64 {
        self.invalidation.token
    }
}

impl Table for Invalidations {
    type Effect = InvalidationEffect;

    const ENCODING: u32 = 1;

    fn apply(&mut self, effect: InvalidationEffect) {
        let until = effect.until.unwrap_or(FOREVER);
        for name in &effect.names {
            match effect.scope {
                Scope::Tag => self.tags.add(name, effect.invalidation, until, MAX_REMEMBERED_TAGS),
                Scope::Prefix => {
                    self.prefixes.add_prefix(name, effect.invalidation, until, MAX_REMEMBERED_PREFIXES)
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.prefixes.is_empty()
    }

    fn save(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.tags.write(&mut w);
        self.prefixes.write(&mut w);
        w.finish()
    }

    fn load(_encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut r = Reader::new(bytes);
        let tags = InvalidationLog::read(&mut r, MAX_TAG_LEN)?;
        let prefixes = InvalidationLog::read(&mut r, MAX_PREFIX_LEN)?;
        r.end()?;
        Ok(Invalidations { tags, prefixes })
    }
}

#[cfg(test)]
#[path = "../tests/invalidation.rs"]
mod tests;
