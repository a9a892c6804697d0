//! The fingerprint by which claims are compared: the SHA-256 (FIPS 180-4) of what the client sent.

use crate::domain::idemp::state::canonical_json;
use crate::domain::refusal::{Code, Refusal};
use sha2::{Digest, Sha256};

/// Hashed before the bytes, so that none of the three kinds ever equals another. The digests are
/// kept in records: these numbers never change.
const GIVEN: u8 = 1;
const PAYLOAD: u8 = 2;
const JSON: u8 = 3;

/// 32 bytes that identify the content of a request of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub(crate) [u8; Fingerprint::SIZE]);

impl Fingerprint {
    pub const SIZE: usize = 32;

    /// Of FINGERPRINT: bytes by which the client itself tells contents apart. Any length.
    pub fn from_fingerprint(bytes: &[u8]) -> Self {
        Fingerprint::of(GIVEN, bytes)
    }

    /// Of PAYLOAD: the content itself, at most `limit` bytes of it (`TOOBIG` beyond).
    pub fn from_payload(bytes: &[u8], limit: usize) -> Result<Self, Refusal> {
        check_limit("PAYLOAD", bytes, limit)?;
        Ok(Fingerprint::of(PAYLOAD, bytes))
    }

    /// Of JSON: a document of at most `limit` bytes as written (`TOOBIG` beyond) in its canonical
    /// form (RFC 8785), so that neither white space nor the order of members counts. `ERR` when
    /// there is no such form; see [`canonical_json::canonical`].
    pub fn from_json(text: &[u8], limit: usize) -> Result<Self, Refusal> {
        check_limit("JSON", text, limit)?;
        Ok(Fingerprint::of(JSON, &canonical_json::canonical(text)?))
    }

    /// The digest in 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn of(kind: u8, bytes: &[u8]) -> Self {
        Fingerprint(Sha256::new().chain_update([kind]).chain_update(bytes).finalize().into())
    }
}

fn check_limit(what: &str, bytes: &[u8], limit: usize) -> Result<(), Refusal> {
    if bytes.len() <= limit {
        return Ok(());
    }
    let given = bytes.len();
    Err(Refusal::new(
        Code::TooBig,
        format!(
            "{what} of {given} bytes: at most {limit} are hashed here; hash it yourself and send FINGERPRINT"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected digests come from `printf '\1abc' | sha256sum` and `printf '\2abc' |
    /// sha256sum`.
    #[test]
    fn it_is_the_sha_256_of_the_kind_and_the_bytes() {
        assert_eq!(
            Fingerprint::from_fingerprint(b"abc").hex(),
            "1e18834c426d00e57788444cb3ccd62c771b420c095bb0c4e040a8c122c4570d"
        );
        assert_eq!(
            Fingerprint::from_payload(b"abc", 3).unwrap().hex(),
            "909ac45e439911193205994d09399c29fede977ab212605f29ead5250a812e73"
        );
    }

    /// The expected digest comes from `printf '\\3{"a":[1,2],"b":null}' | sha256sum`.
    #[test]
    fn json_is_hashed_in_its_canonical_form() {
        for text in [r#"{"a":[1,2],"b":null}"#, " { \"b\" : null,\r\n\"\\u0061\": [1.0, 2e0] } "] {
            let print = Fingerprint::from_json(text.as_bytes(), 100).unwrap();
            assert_eq!(print.hex(), "ebe6a289f41ba6e749ef9468a2ebd85a285aec8cfa7a6c100eb34c8fef010b12");
        }
        assert_eq!(Fingerprint::from_json(b"[1]", 2).unwrap_err().code, Code::TooBig);
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_and_told_of_fingerprint() {
        let refusal = Fingerprint::from_payload(b"abcd", 3).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "TOOBIG PAYLOAD of 4 bytes: at most 3 are hashed here; hash it yourself and send FINGERPRINT"
        );
    }
}
