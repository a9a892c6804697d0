//! What a request wants of its key, where there are several things to want.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// The name of what a request wants of its key, as a hash: two names with the same hash only wait
/// for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WantedName(u64);

impl WantedName {
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        WantedName(hasher.finish())
    }
}

/// Tells the list of those that want exactly these names, which are sorted, from others; `None` for
/// no name.
pub fn line(wanted: &[WantedName]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    wanted.hash(&mut hasher);
    (!wanted.is_empty()).then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_names_have_one_list_and_others_another() {
        let (a, b) = (WantedName::of(b"a"), WantedName::of(b"b"));
        assert_eq!(line(&[]), None);
        assert_eq!(line(&[a, b]), line(&[a, b]));
        let lines = HashSet::from([line(&[]), line(&[a]), line(&[b]), line(&[a, b])]);
        assert_eq!(lines.len(), 4);
    }
}
