//! What a server, or what poses as one, sends to the worker: the first byte says where it is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use reply_reader::{Broken, ReplyReader};

#[path = "../../src/bin/workgate/redis/reply_reader.rs"]
mod reply_reader;

/// The replies in these parts, up to the first that is none.
fn read(parts: &[&[u8]]) -> (Vec<redis::Value>, Result<(), Broken>) {
    let (mut reader, mut values) = (ReplyReader::default(), Vec::new());
    for part in parts {
        reader.bytes.extend_from_slice(part);
        loop {
            match reader.next() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(broken) => return (values, Err(broken)),
            }
        }
    }
    (values, Ok(()))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let (whole, parts) = (read(&[bytes]), read(&[first, second]));
    assert_eq!(whole, parts, "the replies are the same wherever they are cut");
});
