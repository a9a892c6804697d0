//! The name of a limit.

use crate::domain::ratelimit::MAX_LIMITS;
use std::cmp::Ordering;

/// The maximum length of a name in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Names of up to this length need no heap allocation. The value makes a `LimitName` as large as a
/// `Vec`.
const INLINE: usize = 22;

/// A name given by a client, 1 to 64 bytes of `A-Z a-z 0-9 _ . : -`, or the name of an unnamed
/// limit of a policy, `@policy`. The former holds no `/`, the latter begins with `@`. So neither
/// equals a canonical spec, which is the key of an unnamed limit.
#[derive(Debug, Clone)]
pub struct LimitName(Bytes);

#[derive(Debug, Clone)]
enum Bytes {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

/// Whether these bytes may name a limit.
pub fn is_name(bytes: &[u8]) -> bool {
    (1..=MAX_NAME_LEN).contains(&bytes.len()) && bytes.iter().all(|&b| is_plain(b))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
}

/// Whether these bytes may name a policy: those of a limit name, and `/`.
pub fn is_policy(bytes: &[u8]) -> bool {
    (1..=MAX_NAME_LEN).contains(&bytes.len()) && bytes.iter().all(|&b| b == b'/' || is_plain(b))
}

/// Whether this is the name of an unnamed limit of a policy: `@policy`, `@policy#2` to
/// `@policy#16`.
fn is_of_policy(bytes: &[u8]) -> bool {
    let Some(name) = bytes.strip_prefix(b"@") else { return false };
    let Some(at) = name.iter().position(|&b| b == b'#') else { return is_policy(name) };
    let known = |number: usize| *number.to_string().as_bytes() == name[at + 1..];
    is_policy(&name[..at]) && (2..=MAX_LIMITS).any(known)
}

impl LimitName {
    /// Returns `None` if the bytes may not name a limit.
    pub fn new(name: &[u8]) -> Option<Self> {
        (is_name(name) || is_of_policy(name)).then(|| LimitName::keep(name))
    }

    /// The name of the unnamed limit number `number` of `policy`. Numbers begin at 1.
    pub fn of_policy(policy: &[u8], number: usize) -> Self {
        let mut name = [b"@", policy].concat();
        if number > 1 {
            name.extend(format!("#{number}").bytes());
        }
        LimitName::keep(&name)
    }

    /// Whether the name belongs to an unnamed limit of a policy.
    pub fn is_of_policy(&self) -> bool {
        self.as_bytes().first() == Some(&b'@')
    }

    fn keep(name: &[u8]) -> Self {
        LimitName(if name.len() <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[..name.len()].copy_from_slice(name);
            Bytes::Inline { length: name.len() as u8, bytes }
        } else {
            Bytes::Heap(name.into())
        })
    }

    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Heap(bytes) => bytes,
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Bytes::Inline { .. } => 0,
            Bytes::Heap(bytes) => bytes.len(),
        }
    }
}

impl PartialEq for LimitName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for LimitName {}

impl PartialOrd for LimitName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LimitName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_length_read_back_and_short_ones_stay_off_the_heap() {
        for length in 1..=MAX_NAME_LEN {
            let bytes = vec![b'n'; length];
            let name = LimitName::new(&bytes).unwrap();
            assert_eq!(name.as_bytes(), &bytes[..]);
            assert_eq!(name.heap_bytes() == 0, length <= INLINE);
        }
        assert_eq!(size_of::<Option<LimitName>>(), 24);
    }

    #[test]
    fn empty_long_and_foreign_names_are_none() {
        for bytes in [&b""[..], &[b'n'; 65], b"a b", b"a/b", b"a@b", b"a\0", b"\xc3\xa9", b"a=b"] {
            assert_eq!(LimitName::new(bytes), None, "{bytes:?}");
        }
    }
}
