//! Our commands, what a user would pick instead, and the bars.

use std::thread::sleep;
use std::time::Duration;

use crate::contender::{Contender, nothing};
use crate::support::resp::{Connection, Reply, write};

const V100: &[u8] = &[b'v'; 100];
pub const P200: &[u8] = &[b'p'; 200];

fn string(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"SET", b"k", V100]).map(drop)
}

pub fn entry(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"CACHE.SET", b"k", V100, b"TTL", b"1h"]).map(drop)
}

fn completed(server: &mut Connection) -> Result<(), String> {
    let token = server.call(&[b"IDEMP.CLAIM", b"k"])?.at(2).int();
    server.call(&[b"IDEMP.COMPLETE", b"k", token.to_string().as_bytes(), V100]).map(drop)
}

fn group(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"XGROUP", b"CREATE", b"s", b"g", b"$", b"MKSTREAM"]).map(drop)
}

/// Subjects with a window of ten each.
const WINDOWS: usize = 320;

/// Windows with nine entries, each of a millisecond of its own.
fn nine_in_each_window(server: &mut Connection) -> Result<(), String> {
    for _ in 0..9 {
        for subject in 0..WINDOWS {
            server.call(&[b"RATELIMIT.CHECK", &window(subject), b"10/1d"])?;
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn window(number: usize) -> Vec<u8> {
    format!("w:{}", number % WINDOWS).into_bytes()
}

/// The key of one of 100,000 subjects.
pub fn key(prefix: &str, number: usize) -> Vec<u8> {
    format!("{prefix}:{:06}", number.wrapping_mul(7_919) % 100_000).into_bytes()
}

/// A key that has not been used in this round, nor in an earlier one.
pub fn fresh(prefix: &str, number: usize) -> Vec<u8> {
    format!("{prefix}:{number}").into_bytes()
}

/// The id in a reply to XREADGROUP.
fn entry_id(read: &Reply) -> &[u8] {
    read.at(0).at(1).at(0).at(0).bytes()
}

pub fn contenders() -> Vec<Contender> {
    let mut all = limits();
    all.extend(claims());
    all.extend(cache());
    all.extend(jobs());
    all
}

/// The bucket is never empty in a run, and never refills so quickly that its key would be created
/// for each call.
const BUCKET: &[u8] = b"1000000000/1d:bucket";
/// Of which little is taken: what is taken comes back after 86 s.
const SLOW_BUCKET: &[u8] = b"1000/1d:bucket";

fn limits() -> Vec<Contender> {
    vec![
        Contender::new("INCR", nothing, &[|w, _, _| write(w, &[b"INCR", b"n"])]),
        Contender::ours(
            "CHECK bucket, allowed",
            nothing,
            &[|w, _, _| write(w, &[b"RATELIMIT.CHECK", b"u", BUCKET])],
        )
        .at_most(1.5, "INCR")
        .with_aof(1.3),
        Contender::ours(
            "CHECK bucket, allowed, BRIEF",
            nothing,
            &[|w, _, _| write(w, &[b"RATELIMIT.CHECK", b"u", BUCKET, b"BRIEF"])],
        )
        .at_most(1.25, "INCR"),
        // What is taken is given back outside the count, so that there is always one left.
        Contender::ours(
            "CHECK window of 10, allowed",
            nine_in_each_window,
            &[
                |w, n, _| write(w, &[b"RATELIMIT.CHECK", &window(n), b"10/1d"]),
                |w, n, checked| {
                    assert_eq!(checked.of(0).at(0).int(), 1, "a check was to be allowed");
                    write(w, &[b"RATELIMIT.REFUND", &window(n), b"10/1d", b"COST", b"1"]);
                },
            ],
        )
        .counting(0)
        .at_most(1.5, "INCR")
        .with_aof(1.3),
        Contender::ours(
            "CHECK window of 10, denied",
            nothing,
            &[|w, _, _| write(w, &[b"RATELIMIT.CHECK", b"u", b"10/1d"])],
        )
        .at_most(1.3, "INCR")
        .on_redis_7_0(1.4)
        .with_aof(0.9),
        Contender::new("INCR, 100,000 keys", nothing, &[|w, n, _| write(w, &[b"INCR", &key("n", n)])]),
        Contender::ours(
            "CHECK bucket, 100,000 keys",
            nothing,
            &[|w, n, _| write(w, &[b"RATELIMIT.CHECK", &key("u", n), SLOW_BUCKET])],
        )
        .at_most(1.45, "INCR, 100,000 keys"),
    ]
}

fn claims() -> Vec<Contender> {
    vec![
        Contender::new(
            "SET NX EX, fresh",
            nothing,
            &[|w, n, _| write(w, &[b"SET", &fresh("c", n), b"1", b"NX", b"EX", b"60"])],
        ),
        Contender::ours("CLAIM, fresh", nothing, &[|w, n, _| write(w, &[b"IDEMP.CLAIM", &fresh("c", n)])])
            .at_most(1.1, "SET NX EX, fresh"),
        Contender::new(
            "SET NX GET EX, there",
            string,
            &[|w, _, _| write(w, &[b"SET", b"k", b"1", b"NX", b"GET", b"EX", b"60"])],
        ),
        Contender::ours("CLAIM, completed", completed, &[|w, _, _| write(w, &[b"IDEMP.CLAIM", b"k"])])
            .at_most(1.3, "SET NX GET EX, there"),
    ]
}

fn cache() -> Vec<Contender> {
    vec![
        Contender::new("GET, 100 B", string, &[|w, _, _| write(w, &[b"GET", b"k"])]),
        Contender::ours("GETSET hit, 100 B", entry, &[|w, _, _| write(w, &[b"CACHE.GETSET", b"k"])])
            .at_most(1.3, "GET, 100 B"),
        Contender::ours(
            "GETSET miss, one fills",
            nothing,
            &[|w, n, _| write(w, &[b"CACHE.GETSET", &fresh("c", n), b"LEASE", b"60s"])],
        )
        .beside("SET NX EX, fresh"),
    ]
}

fn jobs() -> Vec<Contender> {
    vec![
        Contender::new(
            "LPUSH + LMOVE + LREM, 200 B",
            nothing,
            &[
                |w, _, _| write(w, &[b"LPUSH", b"l", P200]),
                |w, _, _| write(w, &[b"LMOVE", b"l", b"m", b"RIGHT", b"LEFT"]),
                |w, _, earlier| write(w, &[b"LREM", b"m", b"1", earlier.of(1).bytes()]),
            ],
        ),
        Contender::new(
            "XADD + XREADGROUP + XACK + XDEL, 200 B",
            group,
            &[
                |w, _, _| write(w, &[b"XADD", b"s", b"*", b"p", P200]),
                |w, _, _| {
                    write(w, &[b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"1", b"STREAMS", b"s", b">"]);
                },
                |w, _, earlier| write(w, &[b"XACK", b"s", b"g", entry_id(earlier.of(1))]),
                |w, _, earlier| write(w, &[b"XDEL", b"s", entry_id(earlier.of(1))]),
            ],
        ),
        Contender::ours(
            "PUSH + POP + ACK, 200 B",
            nothing,
            &[
                |w, _, _| write(w, &[b"JOBQ.PUSH", b"q", P200]),
                |w, _, _| write(w, &[b"JOBQ.POP", b"q"]),
                |w, _, earlier| {
                    let job = earlier.of(1).at(0);
                    write(w, &[b"JOBQ.ACK", b"q", job.at(0).bytes(), job.at(1).int().to_string().as_bytes()]);
                },
            ],
        )
        .at_most(1.0, "LPUSH + LMOVE + LREM, 200 B")
        .with_aof(0.9)
        .at_most(0.5, "XADD + XREADGROUP + XACK + XDEL, 200 B"),
    ]
}
