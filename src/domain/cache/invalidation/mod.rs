//! CACHE.INVALIDATE: makes values and loads under a tag, or under a prefix of key names, stale or
//! missing.
//!
//! An invalidation searches no keys. The server logs it, and a command that opens an entry compares
//! the token of the entry with the invalidations of its tags and of its key.

pub(crate) mod events;
pub(crate) mod log;

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::refusal::Refusal;
use crate::domain::time::{HOUR, UnixMs};
use crate::domain::token::TokenClock;
use crate::domain::value;
use events::{InvalidationEvent, InvalidationEvents};
use log::{FOREVER, Invalidation, InvalidationLog, Scope, read_invalidation, read_until};

/// The longest tag, in bytes.
pub const MAX_TAG_LEN: usize = 128;
/// The longest prefix, in bytes.
pub const MAX_PREFIX_LEN: usize = 1_024;
/// Invalidated tags in the log of each level.
pub const MAX_REMEMBERED_TAGS: usize = 65_536;
/// Invalidated prefixes in the log of each level.
pub const MAX_REMEMBERED_PREFIXES: usize = 4_096;

/// How much longer an invalidation is kept than the values to which it applies, for clocks that are
/// set back.
const MARGIN_MS: u64 = HOUR;

/// The latest end of anything that a server holds: an upper bound, which only rises.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LatestExpiry {
    /// Of entries with tags, and of leases: the tags of a load are not known yet.
    pub tagged: UnixMs,
    /// Of all entries.
    pub any: UnixMs,
}

impl LatestExpiry {
    pub const NONE: LatestExpiry = LatestExpiry { tagged: 0, any: 0 };

    /// Returns the later ends of both.
    pub fn join(self, other: LatestExpiry) -> LatestExpiry {
        LatestExpiry { tagged: self.tagged.max(other.tagged), any: self.any.max(other.any) }
    }
}

/// The soft and the hard invalidations of one scope.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Levels {
    /// Values granted before are stale for their GRACE.
    soft: InvalidationLog,
    /// Values granted before are missing.
    hard: InvalidationLog,
}

impl Levels {
    fn is_empty(&self) -> bool {
        self.soft.is_empty() && self.hard.is_empty()
    }

    fn len(&self) -> usize {
        self.soft.len() + self.hard.len()
    }
}

/// The newest invalidations of an entry's tags and key. Each applies if the entry has a lower
/// token.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct NewestInvalidations {
    pub soft: Option<Invalidation>,
    pub hard: Option<Invalidation>,
}

impl NewestInvalidations {
    /// Returns the newer of both levels.
    pub fn of_any_level(self) -> Option<Invalidation> {
        self.soft.max(self.hard)
    }
}

/// What was invalidated on a server.
#[derive(Debug, Default, Clone)]
pub struct Invalidations {
    tags: Levels,
    prefixes: Levels,
    /// Of this server alone: not saved, and empty after a load.
    events: InvalidationEvents,
}

impl Invalidations {
    /// Returns the newest invalidations of these tags and of the prefixes of `key`.
    pub fn newest_for<'t>(
        &self,
        key: &[u8],
        tags: impl Iterator<Item = &'t [u8]> + Clone,
    ) -> NewestInvalidations {
        if self.is_empty() {
            return NewestInvalidations::default();
        }
        let newest = |tag_log: &InvalidationLog, prefix_log: &InvalidationLog| {
            tags.clone().map(|tag| tag_log.newest_of(tag)).fold(prefix_log.newest_covering(key), Ord::max)
        };
        NewestInvalidations {
            soft: newest(&self.tags.soft, &self.prefixes.soft),
            hard: newest(&self.tags.hard, &self.prefixes.hard),
        }
    }

    /// Returns how many tags and prefixes the logs hold. A name counts once for each level.
    pub fn counts(&self) -> (usize, usize) {
        (self.tags.len(), self.prefixes.len())
    }

    /// Forgets the invalidations themselves, where no entry is left that they concern. The events
    /// stay.
    pub fn forget_marks(&mut self) {
        (self.tags, self.prefixes) = (Levels::default(), Levels::default());
    }

    /// The invalidations that this server has seen.
    pub fn events(&self) -> &InvalidationEvents {
        &self.events
    }
}

/// A change of [`Invalidations`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationEffect {
    pub scope: Scope,
    /// Values granted before are missing, not stale for their GRACE.
    pub hard: bool,
    pub names: Vec<Box<[u8]>>,
    pub invalidation: Invalidation,
    /// When the last value to which it applies has ended; `None` for never.
    pub until: Option<UnixMs>,
}

/// Decides a CACHE.INVALIDATE. A re-send invalidates again, also what was loaded in between.
pub fn decide_invalidate(
    scope: Scope,
    hard: bool,
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
    Ok(Decision::change((), InvalidationEffect { scope, hard, names, invalidation, until }))
}

/// First byte of the encoded form.
const TAG: u8 = 1;
const PREFIX: u8 = 2;
const HARD_TAG: u8 = 3;
const HARD_PREFIX: u8 = 4;

impl value::Effect for InvalidationEffect {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.kind(match (self.scope, self.hard) {
            (Scope::Tag, false) => TAG,
            (Scope::Prefix, false) => PREFIX,
            (Scope::Tag, true) => HARD_TAG,
            (Scope::Prefix, true) => HARD_PREFIX,
        });
        w.int(self.invalidation.token);
        w.int(self.invalidation.at);
        w.option(self.until, Writer::int);
        w.int(self.names.len() as u64);
        self.names.iter().for_each(|name| w.bytes(name));
        w.finish()
    }

    fn read(r: &mut Reader<'_>, payload: Option<&[u8]>) -> Result<Self, Corrupt> {
        let (scope, hard, longest) = match (r.kind()?, payload) {
            (kind @ (TAG | HARD_TAG), None) => (Scope::Tag, kind == HARD_TAG, MAX_TAG_LEN),
            (kind @ (PREFIX | HARD_PREFIX), None) => (Scope::Prefix, kind == HARD_PREFIX, MAX_PREFIX_LEN),
            _ => return Err(Corrupt),
        };
        let invalidation = read_invalidation(r)?;
        let until = r.option(read_until)?;
        let mut names: Vec<Box<[u8]>> = Vec::new();
        for _ in 0..r.int()? {
            names.push(Box::from(r.bytes()?));
        }
        r.end()?;
        if names.is_empty() || names.iter().any(|name| name.len() > longest) {
            return Err(Corrupt);
        }
        Ok(InvalidationEffect { scope, hard, names, invalidation, until })
    }

    /// Each name takes one token, which is the number of its event.
    fn highest_token(&self) -> u64 {
        self.invalidation.token + (self.names.len() as u64 - 1)
    }
}

impl Table for Invalidations {
    type Effect = InvalidationEffect;

    /// 2 added HARD, 3 shortened the tokens.
    const ENCODING: u32 = 3;

    /// What is out of date must not be served, and an invalidation frees more than it takes.
    fn adds(&self, _effect: &InvalidationEffect) -> bool {
        false
    }

    fn apply(&mut self, effect: InvalidationEffect) {
        let InvalidationEffect { scope, hard, names, invalidation, until } = effect;
        let until = until.unwrap_or(FOREVER);
        for (name, seq) in names.into_iter().zip(invalidation.token..) {
            match (scope, hard) {
                (Scope::Tag, false) => {
                    self.tags.soft.add(&name, invalidation, until, MAX_REMEMBERED_TAGS);
                }
                // The older soft invalidation adds nothing to the hard one.
                (Scope::Tag, true) => {
                    self.tags.soft.remove(&name);
                    self.tags.hard.add(&name, invalidation, until, MAX_REMEMBERED_TAGS);
                }
                (Scope::Prefix, false) => {
                    self.prefixes.soft.add_prefix(&name, invalidation, until, MAX_REMEMBERED_PREFIXES);
                }
                (Scope::Prefix, true) => {
                    self.prefixes.soft.remove_covered(&name);
                    self.prefixes.hard.add_prefix(&name, invalidation, until, MAX_REMEMBERED_PREFIXES);
                }
            }
            self.events.record(InvalidationEvent { seq, at: invalidation.at, scope, name, hard });
        }
    }

    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.prefixes.is_empty()
    }

    fn save(&self) -> Vec<u8> {
        let mut w = Writer::new();
        for levels in [&self.tags, &self.prefixes] {
            levels.soft.write(&mut w);
            levels.hard.write(&mut w);
        }
        w.finish()
    }

    fn highest_token(&self) -> u64 {
        let levels = [&self.tags, &self.prefixes].into_iter().flat_map(|levels| [&levels.soft, &levels.hard]);
        levels.map(InvalidationLog::highest_token).max().unwrap_or(0)
    }

    fn load(encoding: u32, bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut r = Reader::of_block(bytes, encoding < 3);
        let mut read = |longest| {
            let soft = InvalidationLog::read(&mut r, longest)?;
            let hard = if encoding > 1 {
                InvalidationLog::read(&mut r, longest)?
            } else {
                InvalidationLog::default()
            };
            Ok(Levels { soft, hard })
        };
        let (tags, prefixes) = (read(MAX_TAG_LEN)?, read(MAX_PREFIX_LEN)?);
        r.end()?;
        Ok(Invalidations { tags, prefixes, events: InvalidationEvents::default() })
    }
}

#[cfg(test)]
#[path = "../tests/invalidation.rs"]
mod tests;
