//! What a client writes as a command: the first byte chooses it, the others its arguments.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workgate::fuzzing;

fuzz_target!(
    // A command that has read its arguments panics into its guard, as this server knows nothing
    // more. The hook of libFuzzer would end the program there.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| fuzzing::command(bytes)
);
