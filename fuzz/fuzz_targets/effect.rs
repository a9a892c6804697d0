//! What a primary sends and an append-only file holds: the first byte chooses the family and
//! whether a payload follows.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing::{self, Kind};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    let (head, payload) = match first / 128 {
        0 => (bytes, None),
        _ => {
            let (head, payload) = bytes.split_at(bytes.len() / 2);
            (head, Some(payload))
        }
    };
    fuzzing::effect(kind, head, payload);
});
