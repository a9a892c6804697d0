//! What a client writes as a limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing;

fuzz_target!(|text: &[u8]| fuzzing::limit(text));
