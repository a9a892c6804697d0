//! A line that a handler writes to the worker.

#![no_main]
// The worker uses the rest.
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/bin/workgate/args"]
mod args {
    pub mod duration;
}

#[path = "../../src/bin/workgate/handler"]
mod handler {
    pub mod from_handler;
    pub mod verdict;
}

use handler::from_handler::FromHandler;

fuzz_target!(|line: &[u8]| {
    let Ok(message) = FromHandler::read(line) else { return };
    let mut meanings = Vec::new();
    message.meanings(&mut meanings);
    assert!(meanings.len() <= line.len(), "a line means no more than it holds");
});
