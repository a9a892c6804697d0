//! What a client writes as a cron pattern or an interval.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing;

fuzz_target!(|text: &[u8]| fuzzing::schedule(text));
