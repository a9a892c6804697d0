//! The tags of a value.

use crate::domain::cache::invalidation::MAX_TAG_LEN;
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::refusal::Refusal;

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

    pub(crate) fn is_subset_of(&self, other: &Tags) -> bool {
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

#[cfg(test)]
#[path = "../tests/tags.rs"]
mod tests;
