//! What is compared with what, and the bars.

use crate::resp::{Connection, Reply, write};

/// Writes the command of one step of operation `number`; `earlier` is the last reply to a step before
/// that was not just a number.
pub type Step = fn(wire: &mut Vec<u8>, number: usize, earlier: Option<&Reply>);

/// What has to be there before a round.
pub type Setup = fn(&mut Connection) -> Result<(), String>;

/// What a contender is compared with.
pub struct Bar {
    pub of: &'static str,
    /// At most this many times its cost: without persistence, and with `appendonly everysec` where another one is
    /// set. What is not ours has no bar.
    pub most: Option<f64>,
    pub most_with_aof: Option<f64>,
}

pub struct Contender {
    pub name: &'static str,
    pub bar: Option<Bar>,
    pub setup: Setup,
    pub steps: &'static [Step],
    pub begun: usize,
}

impl Contender {
    /// Whether it only serves to compare others with.
    pub fn is_reference(&self) -> bool {
        self.bar.is_none()
    }
}

const V100: &[u8] = &[b'v'; 100];
const P200: &[u8] = &[b'p'; 200];

fn plain(name: &'static str, setup: Setup, steps: &'static [Step]) -> Contender {
    Contender { name, bar: None, setup, steps, begun: 0 }
}

fn ours(
    name: &'static str,
    of: &'static str,
    most: f64,
    most_with_aof: Option<f64>,
    setup: Setup,
    steps: &'static [Step],
) -> Contender {
    Contender { bar: Some(Bar { of, most: Some(most), most_with_aof }), ..plain(name, setup, steps) }
}

/// What somebody would use instead of `of`.
pub fn against(name: &'static str, of: &'static str, setup: Setup, steps: &'static [Step]) -> Contender {
    Contender { bar: Some(Bar { of, most: None, most_with_aof: None }), ..plain(name, setup, steps) }
}

pub fn nothing(_: &mut Connection) -> Result<(), String> {
    Ok(())
}

fn string(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"SET", b"k", V100]).map(drop)
}

fn entry(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"CACHE.SET", b"k", V100, b"TTL", b"1h"]).map(drop)
}

fn completed(server: &mut Connection) -> Result<(), String> {
    let token = server.call(&[b"IDEMP.CLAIM", b"k"])?.at(2).int();
    server.call(&[b"IDEMP.COMPLETE", b"k", token.to_string().as_bytes(), V100]).map(drop)
}

fn group(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"XGROUP", b"CREATE", b"s", b"g", b"$", b"MKSTREAM"]).map(drop)
}

/// The key of one of 100,000 subjects.
fn key(prefix: &str, number: usize) -> Vec<u8> {
    format!("{prefix}:{:06}", number.wrapping_mul(7_919) % 100_000).into_bytes()
}

/// A key that has not been used in this round, nor in an earlier one.
fn fresh(prefix: &str, number: usize) -> Vec<u8> {
    format!("{prefix}:{number}").into_bytes()
}

/// The id in a reply to XREADGROUP.
fn entry_id(read: Option<&Reply>) -> &[u8] {
    read.expect("a reply").at(0).at(1).at(0).at(0).bytes()
}

pub fn contenders() -> Vec<Contender> {
    vec![
        plain("INCR", nothing, &[|w, _, _| write(w, &[b"INCR", b"n"])]),
        ours(
            "CHECK bucket, allowed",
            "INCR",
            1.5,
            Some(1.3),
            nothing,
            &[|w, _, _| {
                write(w, &[b"RATELIMIT.CHECK", b"u", b"1000000000/1s:bucket"]);
            }],
        ),
        ours(
            "CHECK bucket, allowed, BRIEF",
            "INCR",
            1.25,
            None,
            nothing,
            &[|w, _, _| {
                write(w, &[b"RATELIMIT.CHECK", b"u", b"1000000000/1s:bucket", b"BRIEF"]);
            }],
        ),
        ours(
            "CHECK window of 10, denied",
            "INCR",
            1.3,
            Some(0.9),
            nothing,
            &[|w, _, _| {
                write(w, &[b"RATELIMIT.CHECK", b"u", b"10/1d"]);
            }],
        ),
        plain("INCR, 100,000 keys", nothing, &[|w, n, _| write(w, &[b"INCR", &key("n", n)])]),
        ours(
            "CHECK bucket, 100,000 keys",
            "INCR, 100,000 keys",
            1.45,
            None,
            nothing,
            &[|w, n, _| {
                write(w, &[b"RATELIMIT.CHECK", &key("u", n), b"1000000000/1s:bucket"]);
            }],
        ),
        plain(
            "SET NX EX, fresh",
            nothing,
            &[|w, n, _| write(w, &[b"SET", &fresh("c", n), b"1", b"NX", b"EX", b"60"])],
        ),
        ours(
            "CLAIM, fresh",
            "SET NX EX, fresh",
            1.1,
            None,
            nothing,
            &[|w, n, _| {
                write(w, &[b"IDEMP.CLAIM", &fresh("c", n)]);
            }],
        ),
        plain(
            "SET NX GET EX, there",
            string,
            &[|w, _, _| {
                write(w, &[b"SET", b"k", b"1", b"NX", b"GET", b"EX", b"60"]);
            }],
        ),
        ours(
            "CLAIM, completed",
            "SET NX GET EX, there",
            1.3,
            None,
            completed,
            &[|w, _, _| {
                write(w, &[b"IDEMP.CLAIM", b"k"]);
            }],
        ),
        plain("GET, 100 B", string, &[|w, _, _| write(w, &[b"GET", b"k"])]),
        ours(
            "GETSET hit, 100 B",
            "GET, 100 B",
            1.3,
            None,
            entry,
            &[|w, _, _| {
                write(w, &[b"CACHE.GETSET", b"k"]);
            }],
        ),
        plain(
            "LPUSH + LMOVE + LREM, 200 B",
            nothing,
            &[
                |w, _, _| write(w, &[b"LPUSH", b"l", P200]),
                |w, _, _| write(w, &[b"LMOVE", b"l", b"m", b"RIGHT", b"LEFT"]),
                |w, _, moved| write(w, &[b"LREM", b"m", b"1", moved.expect("a job").bytes()]),
            ],
        ),
        plain(
            "XADD + XREADGROUP + XACK + XDEL, 200 B",
            group,
            &[
                |w, _, _| write(w, &[b"XADD", b"s", b"*", b"p", P200]),
                |w, _, _| {
                    write(w, &[b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"1", b"STREAMS", b"s", b">"])
                },
                |w, _, read| {
                    write(w, &[b"XACK", b"s", b"g", entry_id(read)]);
                },
                |w, _, read| write(w, &[b"XDEL", b"s", entry_id(read)]),
            ],
        ),
        ours(
            "PUSH + POP + ACK, 200 B",
            "LPUSH + LMOVE + LREM, 200 B",
            1.0,
            Some(0.9),
            nothing,
            &[
                |w, _, _| write(w, &[b"JOBQ.PUSH", b"q", P200]),
                |w, _, _| write(w, &[b"JOBQ.POP", b"q"]),
                |w, _, popped| {
                    let job = popped.expect("a reply").at(0);
                    write(w, &[b"JOBQ.ACK", b"q", job.at(0).bytes(), job.at(1).int().to_string().as_bytes()]);
                },
            ],
        ),
    ]
}
