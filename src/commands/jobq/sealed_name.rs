//! Names that a cursor carries through the hands of a client that may not read them.
//!
//! A synthetic initialisation vector (Rogaway and Shrimpton, 2006) of SipHash-2-4 with 128 bits:
//! the digest of the name is the nonce of the keystream and proves, when the cursor comes back,
//! that it was made here. The secret lasts as long as the process: a cursor does not outlive it.

use std::fmt::Write;
use std::hash::Hasher;
use std::sync::OnceLock;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::module_api::random;

/// Names are filled up to a multiple of this, so that a cursor does not tell their length.
const BLOCK_BYTES: usize = 32;

const TAG_BYTES: usize = 16;

fn secret() -> &'static [u8; 16] {
    static SECRET: OnceLock<[u8; 16]> = OnceLock::new();
    SECRET.get_or_init(|| {
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&random::number().to_ne_bytes());
        secret[8..].copy_from_slice(&random::number().to_ne_bytes());
        secret
    })
}

/// The name as hexadecimal digits that only this process can read.
pub fn seal(name: &[u8]) -> String {
    seal_by(secret(), name)
}

/// The name; `None` for what [`seal`] of this process has not made.
pub fn open(sealed: &[u8]) -> Option<Vec<u8>> {
    open_by(secret(), sealed)
}

fn seal_by(secret: &[u8; 16], name: &[u8]) -> String {
    // The length stands first, so that the filling can be taken off.
    let mut bytes = [&(name.len() as u64).to_be_bytes()[..], name].concat();
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    let tag = digest(secret, b'n', &bytes);
    apply_keystream(secret, &tag, &mut bytes);
    tag.iter().chain(&bytes).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn open_by(secret: &[u8; 16], sealed: &[u8]) -> Option<Vec<u8>> {
    let digits =
        std::str::from_utf8(sealed).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    let mut bytes = bytes.collect::<Option<Vec<u8>>>()?;
    let mut name = bytes.split_off(bytes.len().min(TAG_BYTES));
    let tag: [u8; TAG_BYTES] = bytes.try_into().ok()?;
    apply_keystream(secret, &tag, &mut name);
    if digest(secret, b'n', &name) != tag {
        return None;
    }
    let length = u64::from_be_bytes(name.get(..8)?.try_into().ok()?) as usize;
    name.get(8..)?.get(..length).map(<[u8]>::to_vec)
}

/// Applied twice it gives the bytes back.
fn apply_keystream(secret: &[u8; 16], tag: &[u8; TAG_BYTES], bytes: &mut [u8]) {
    for (at, block) in bytes.chunks_mut(TAG_BYTES).enumerate() {
        let key = digest(secret, b'k', &[&tag[..], &(at as u64).to_be_bytes()].concat());
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
    }
}

/// `purpose` keeps the digests of names and of the keystream apart.
fn digest(secret: &[u8; 16], purpose: u8, bytes: &[u8]) -> [u8; TAG_BYTES] {
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&[purpose]);
    hasher.write(bytes);
    hasher.finish128().as_u128().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_the_process_that_sealed_a_name_reads_it(name: Vec<u8>, other: [u8; 16], at: prop::sample::Index) {
            let secret = [7; 16];
            let sealed = seal_by(&secret, &name).into_bytes();
            prop_assert_eq!(open_by(&secret, &sealed), Some(name));
            prop_assert_eq!(open_by(&other, &sealed), None);
            let mut forged = sealed.clone();
            let digit = &mut forged[at.index(sealed.len())];
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(open_by(&secret, &forged), None);
        }

        #[test]
        fn any_bytes_are_read_or_refused_and_do_not_panic(bytes: Vec<u8>) {
            prop_assert_eq!(open_by(&[7; 16], &bytes), None);
        }
    }

    #[test]
    fn a_sealed_name_tells_neither_its_bytes_nor_its_length() {
        let sealed = [b"secret:a".as_slice(), b"secret:ab", b""].map(|name| seal_by(&[7; 16], name));
        assert!(sealed.iter().all(|text| text.len() == sealed[0].len()));
        assert_ne!(sealed[0][..32], sealed[1][..32]);
    }
}
