//! redis-cell, the module that others take for rate limits.

use crate::contender::{Contender, nothing};
use crate::support::resp::{Connection, write};

/// A bucket of 1,000,000,000 that gets 1,000,000 a second.
const OFTEN: [&[u8]; 3] = [b"1000000000", b"1000000", b"1"];

fn used_up(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"CL.THROTTLE", b"u", b"0", b"1", b"86400", b"1"]).map(drop)
}

pub fn contenders() -> Vec<Contender> {
    vec![
        Contender::new(
            "redis-cell CL.THROTTLE, allowed",
            nothing,
            &[|w, _, _| write(w, &[b"CL.THROTTLE", b"u", OFTEN[0], OFTEN[1], OFTEN[2]])],
        )
        .beside("CHECK bucket, allowed"),
        Contender::new(
            "redis-cell CL.THROTTLE, denied",
            used_up,
            &[|w, _, _| write(w, &[b"CL.THROTTLE", b"u", b"0", b"1", b"86400", b"1"])],
        )
        .beside("CHECK window of 10, denied"),
        Contender::new(
            "redis-cell CL.THROTTLE, 100,000 keys",
            nothing,
            &[|w, n, _| {
                write(w, &[b"CL.THROTTLE", &crate::our_commands::key("u", n), OFTEN[0], OFTEN[1], OFTEN[2]]);
            }],
        )
        .beside("CHECK bucket, 100,000 keys"),
    ]
}
