//! The feed file counted by itself, apart from what fed it to the server.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::delivery::Delivery;

/// What a feed file holds.
#[derive(Debug, Default)]
pub struct FeedCounts {
    /// Lines that are not blank.
    pub deliveries: u64,
    /// The fingerprint of every well-formed delivery, by which a handler's payload is recognised.
    pub fingerprints: HashSet<String>,
}

impl FeedCounts {
    pub fn of(feed: &[u8]) -> Self {
        let mut feed_counts = FeedCounts::default();
        for line in feed.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)) {
            feed_counts.deliveries += 1;
            if let Ok(delivery) = Delivery::read(line) {
                feed_counts.fingerprints.insert(fingerprint(delivery.id.as_bytes(), &delivery.payload()));
            }
        }
        feed_counts
    }
}

/// A blank line is no delivery, malformed or other.
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

/// SHA-256 of an id and the payload that travelled under it, in hexadecimal.
pub fn fingerprint(id: &[u8], payload: &[u8]) -> String {
    let hash = Sha256::new().chain_update(id).chain_update(b"\n").chain_update(payload).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_do_not_count_and_broken_ones_do() {
        let feed_counts = FeedCounts::of(b"\n{\"id\":\"a\",\"topic\":\"t\",\"sender\":\"s\",\"body\":\"b\"}\r\n  \nbroken\nlast, without a line break");
        assert_eq!(feed_counts.deliveries, 3);
        assert_eq!(feed_counts.fingerprints.len(), 1);
        assert!(feed_counts.fingerprints.contains(&fingerprint(b"a", b"topic: t\nsender: s\n\nb")));
        assert!(!feed_counts.fingerprints.contains(&fingerprint(b"a", b"topic: t\nsender: s\n\nB")));
    }
}
