//! What clients write: limits, durations, cron patterns, JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing;

fuzz_target!(|text: &[u8]| fuzzing::arguments(text));
