//! What RESTORE and a saved file bring: the first byte chooses the family.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing::{self, Kind};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, block)) = bytes.split_first() else { return };
    fuzzing::value(Kind::ALL[usize::from(*first) % Kind::ALL.len()], block);
});
