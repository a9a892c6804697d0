//! What a client sends as JSON to be hashed in its canonical form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing;

fuzz_target!(|text: &[u8]| fuzzing::json(text));
