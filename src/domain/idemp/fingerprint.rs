//! What an idempotency key was used for, in 32 bytes.

use sha2::{Digest, Sha256};

/// SHA-256 over the kind of content and the content.
pub type Fingerprint = [u8; 32];

/// What a client gives to tell one use of a key from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Bytes of its own choice, such as a hash.
    Fingerprint(&'a [u8]),
    /// The request itself.
    Payload(&'a [u8]),
}

impl Content<'_> {
    /// The two kinds never agree, so that a payload cannot pass for a fingerprint.
    pub fn fingerprint(self) -> Fingerprint {
        let (kind, bytes) = match self {
            Content::Fingerprint(bytes) => (b"F", bytes),
            Content::Payload(bytes) => (b"P", bytes),
        };
        Sha256::new().chain_update(kind).chain_update(bytes).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_content_agrees_and_no_other_does() {
        let payload = Content::Payload(b"{}\0\xff").fingerprint();
        assert_eq!(payload, Content::Payload(b"{}\0\xff").fingerprint());
        assert_ne!(payload, Content::Payload(b"{}\0").fingerprint());
        assert_ne!(payload, Content::Fingerprint(b"{}\0\xff").fingerprint());
    }
}
