//! What a claim is compared by: the SHA-256 (FIPS 180-4) of what the client sent.

use sha2::{Digest, Sha256};

use crate::domain::refusal::{Code, Refusal};

/// The longest PAYLOAD that is hashed unless the configuration says otherwise, in bytes.
pub const PAYLOAD_LIMIT: usize = 64 * 1024;

/// Hashed before the bytes, so that a fingerprint never equals a payload's. A canonical JSON document
/// would be a third kind. The digests are kept in records: these numbers never change.
const GIVEN: u8 = 1;
const PAYLOAD: u8 = 2;

/// 32 bytes that stand for a request's content, however long that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub(super) [u8; Fingerprint::SIZE]);

impl Fingerprint {
    pub const SIZE: usize = 32;

    /// Of FINGERPRINT: bytes by which the client itself tells contents apart. Any length.
    pub fn of_given(bytes: &[u8]) -> Self {
        Fingerprint::of(GIVEN, bytes)
    }

    /// Of PAYLOAD: the content itself, at most `limit` bytes of it (`TOOBIG` beyond).
    pub fn of_payload(bytes: &[u8], limit: usize) -> Result<Self, Refusal> {
        if bytes.len() > limit {
            return Err(Refusal::new(
                Code::TooBig,
                format!(
                    "PAYLOAD of {} bytes: at most {limit} are hashed here; hash it yourself and send FINGERPRINT",
                    bytes.len()
                ),
            ));
        }
        Ok(Fingerprint::of(PAYLOAD, bytes))
    }

    pub fn as_bytes(&self) -> &[u8; Fingerprint::SIZE] {
        &self.0
    }

    fn of(kind: u8, bytes: &[u8]) -> Self {
        Fingerprint(Sha256::new().chain_update([kind]).chain_update(bytes).finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(fingerprint: Fingerprint) -> String {
        fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The expected digests come from `printf '\1abc' | sha256sum` and `printf '\2abc' | sha256sum`.
    #[test]
    fn it_is_the_sha_256_of_the_kind_and_the_bytes() {
        assert_eq!(
            hex(Fingerprint::of_given(b"abc")),
            "1e18834c426d00e57788444cb3ccd62c771b420c095bb0c4e040a8c122c4570d"
        );
        assert_eq!(
            hex(Fingerprint::of_payload(b"abc", 3).unwrap()),
            "909ac45e439911193205994d09399c29fede977ab212605f29ead5250a812e73"
        );
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_and_told_of_fingerprint() {
        let refusal = Fingerprint::of_payload(b"abcd", 3).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "TOOBIG PAYLOAD of 4 bytes: at most 3 are hashed here; hash it yourself and send FINGERPRINT"
        );
    }
}
