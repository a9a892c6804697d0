//! What a completed record keeps for as long as its TTL, in one allocation: most records are
//! completed ones, and three boxes each would cost more than the fields in them.

use crate::domain::idemp::Fingerprint;

const HAS_FINGERPRINT: u8 = 1;
const HAS_META: u8 = 2;

/// Bytes of the length in front of the meta.
const META_LENGTH: usize = size_of::<u32>();

/// Fingerprint, meta and result: a byte with a flag for each that is present, then the parts in
/// this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedResult {
    packed: Box<[u8]>,
}

impl PackedResult {
    /// A meta beyond 4 GiB, which no server accepts as an argument, would be cut there.
    pub fn new(fingerprint: Option<&Fingerprint>, meta: Option<&[u8]>, result: &[u8]) -> Self {
        let meta = meta.map(|meta| &meta[..meta.len().min(u32::MAX as usize)]);
        let size = 1
            + fingerprint.map_or(0, |_| Fingerprint::SIZE)
            + meta.map_or(0, |meta| META_LENGTH + meta.len())
            + result.len();
        let mut packed = Vec::with_capacity(size);
        packed.push(
            if fingerprint.is_some() { HAS_FINGERPRINT } else { 0 }
                | if meta.is_some() { HAS_META } else { 0 },
        );
        if let Some(fingerprint) = fingerprint {
            packed.extend_from_slice(&fingerprint.0);
        }
        if let Some(meta) = meta {
            packed.extend_from_slice(&(meta.len() as u32).to_le_bytes());
            packed.extend_from_slice(meta);
        }
        packed.extend_from_slice(result);
        PackedResult { packed: packed.into_boxed_slice() }
    }

    fn has(&self, part: u8) -> bool {
        self.packed[0] & part != 0
    }

    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let bytes = self.packed[1..].first_chunk().filter(|_| self.has(HAS_FINGERPRINT))?;
        Some(Fingerprint(*bytes))
    }

    /// Meta and result.
    pub fn parts(&self) -> (Option<&[u8]>, &[u8]) {
        let rest = &self.packed[if self.has(HAS_FINGERPRINT) { 1 + Fingerprint::SIZE } else { 1 }..];
        if !self.has(HAS_META) {
            return (None, rest);
        }
        let (length, rest) = rest.split_at(META_LENGTH);
        let length = length.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (meta, result) = rest.split_at(length);
        (Some(meta), result)
    }

    pub fn result(&self) -> &[u8] {
        self.parts().1
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.packed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_what_was_given(
            fingerprint in any::<Option<[u8; 32]>>(),
            meta in any::<Option<Vec<u8>>>(),
            result in any::<Vec<u8>>(),
        ) {
            let fingerprint = fingerprint.map(Fingerprint);
            let finished = PackedResult::new(fingerprint.as_ref(), meta.as_deref(), &result);
            prop_assert_eq!(finished.fingerprint(), fingerprint);
            prop_assert_eq!(finished.parts(), (meta.as_deref(), &result[..]));
            prop_assert_eq!(finished.result(), &result[..]);
            prop_assert_eq!(finished.heap_bytes(), finished.packed.len());
        }
    }
}
