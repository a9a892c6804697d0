//! The tags of a value, and what a SET with tags is worth.

use crate::domain::cache::invalidation::MAX_TAG_LEN;
use crate::domain::cache::invalidation::registry::Invalidation;
use crate::domain::cache::state::value_meta::Annotations;
use crate::domain::cache::{CacheEntry, Effect};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::decision::Decision;
use crate::domain::refusal::Refusal;
use crate::domain::time::UnixMs;

/// Tags of one value.
pub const MAX_TAGS_PER_KEY: usize = 32;

/// A set of tags in byte order, in one word when it is empty, as it mostly is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Option<Box<PackedTags>>);

/// Each with its length before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PackedTags(Box<[u8]>);

impl Tags {
    pub(crate) const NONE: &'static Tags = &Tags(None);

    /// Of any order, and some given twice; at most 32, of 1 to 128 bytes each.
    pub fn new(given: &[&[u8]]) -> Result<Self, Refusal> {
        if let Some(wrong) = given.iter().find(|tag| !is_tag(tag)) {
            let length = wrong.len();
            return Err(Refusal::err(format!(
                "tag of {length} bytes: must be 1 to {MAX_TAG_LEN} bytes long"
            )));
        }
        let mut tags = given.to_vec();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > MAX_TAGS_PER_KEY {
            return Err(Refusal::err(format!("too many tags: at most {MAX_TAGS_PER_KEY} a key")));
        }
        let mut w = Writer::new();
        tags.iter().for_each(|tag| w.bytes(tag));
        Ok(Tags::from_packed(w.finish()))
    }

    fn from_packed(packed: Vec<u8>) -> Self {
        Tags((!packed.is_empty()).then(|| Box::new(PackedTags(packed.into_boxed_slice()))))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut reader = Reader::new(self.packed());
        std::iter::from_fn(move || reader.bytes().ok())
    }

    fn packed(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |packed| &packed.0)
    }

    fn is_subset_of(&self, other: &Tags) -> bool {
        self.iter().all(|tag| other.iter().any(|known| known == tag))
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(self.packed());
    }

    /// Reads what holds at least one.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let packed = r.bytes()?;
        let mut reader = Reader::new(packed);
        let mut last: &[u8] = &[];
        let mut count = 0;
        while !reader.is_empty() {
            let tag = reader.bytes()?;
            count += 1;
            if !is_tag(tag) || tag <= last || count > MAX_TAGS_PER_KEY {
                return Err(Corrupt);
            }
            last = tag;
        }
        if count == 0 { Err(Corrupt) } else { Ok(Tags::from_packed(packed.to_vec())) }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| size_of::<PackedTags>() + packed.0.len())
    }
}

fn is_tag(tag: &[u8]) -> bool {
    (1..=MAX_TAG_LEN).contains(&tag.len())
}

/// Gives the tags to the value that a decision stores, if it stores one.
pub fn attach_tags<R>(decision: Decision<R, Effect>, tags: Tags) -> Decision<R, Effect> {
    if tags.is_empty() {
        return decision;
    }
    let effect = decision.effect.map(|effect| match effect {
        Effect::Set { meta, bytes } => {
            Effect::SetAnnotated { meta, annotations: Annotations { tags, client_meta: None }, bytes }
        }
        Effect::SetAnnotated { meta, annotations, bytes } => {
            Effect::SetAnnotated { meta, annotations: Annotations { tags, ..annotations }, bytes }
        }
        other => other,
    });
    Decision { reply: decision.reply, effect }
}

/// A SET with tags: `decide` decides it as one without. `mark` is the newest invalidation of any of them.
///
/// A load that began before it stores nothing, and its lease ends, so that the next reader loads. Sent again
/// with the token of a value that is stored already it may not add a tag: whether that one was invalidated
/// in between may have been forgotten.
pub fn decide_set_with_tags(
    state: Option<&CacheEntry>,
    tags: Tags,
    token: Option<u64>,
    invalidation: Option<Invalidation>,
    now: UnixMs,
    decide: impl FnOnce() -> Result<Decision<bool, Effect>, Refusal>,
) -> Result<Decision<bool, Effect>, Refusal> {
    let decision = decide()?;
    let Some(token) = token.filter(|_| decision.effect.is_some()) else {
        return Ok(attach_tags(decision, tags));
    };
    let leased = state.is_some_and(|entry| entry.lease().is_some_and(|lease| lease.token == token));
    Ok(if invalidation.is_some_and(|invalidation| invalidation.token > token) {
        let release = Effect::Release { token, at: now, delay: 0 };
        if leased { Decision::change(false, release) } else { Decision::answer(false) }
    } else if leased || state.is_some_and(|entry| tags.is_subset_of(entry.tags())) {
        attach_tags(decision, tags)
    } else {
        Decision::answer(false)
    })
}

#[cfg(test)]
#[path = "../tests/tags.rs"]
mod tests;
