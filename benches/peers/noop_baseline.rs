//! What a module's command costs at the least: those of `benches/noop_module`, each the twin of one
//! of ours. They ask the server for the same and reply as much, but do nothing.

use crate::contender::{Contender, Step, nothing};
use crate::our_commands::{P200, fresh, key};
use crate::support::resp::write;

/// What the name of a twin begins with.
const TWIN: &str = "does nothing: ";

const QUEUE: &[Step] = &[
    |w, _, _| write(w, &[b"NOOP.PUSH", b"q", P200]),
    |w, _, _| write(w, &[b"NOOP.POP", b"q"]),
    |w, _, _| write(w, &[b"NOOP.ACK", b"q", b"#1a2b-mi8x2k0a", b"1795270000000000"]),
];

const BATCHES: &[Step] = &[
    |w, _, _| {
        let mut words: Vec<&[u8]> = vec![b"NOOP.MPUSH", b"q", b"100"];
        words.extend([P200; 100]);
        write(w, &words);
    },
    |w, _, _| write(w, &[b"NOOP.MPOP", b"q", b"COUNT", b"100"]),
    |w, _, _| {
        let mut words: Vec<&[u8]> = vec![b"NOOP.MACK", b"q", b"100"];
        words.extend([[&b"#1a2b-mi8x2k0a"[..], b"1795270000000000"]; 100].as_flattened());
        write(w, &words);
    },
];

pub fn contenders() -> Vec<Contender> {
    let twin = |name, steps| Contender::new(name, nothing, steps);
    let batch = |name, step| Contender::new(name, nothing, BATCHES).counting(step).of_each(100);
    vec![
        twin("does nothing: CHECK bucket, allowed", &[|w, _, _| write(w, &[b"NOOP.CHECK", b"n:u", b"1/1s"])])
            .beside("INCR"),
        twin(
            "does nothing: CHECK bucket, allowed, BRIEF",
            &[|w, _, _| write(w, &[b"NOOP.BRIEF", b"n:u", b"1/1s", b"BRIEF"])],
        )
        .beside("INCR"),
        twin(
            "does nothing: CHECK window of 10, denied",
            &[|w, _, _| write(w, &[b"NOOP.DENIED", b"n:u", b"1/1s"])],
        )
        .beside("INCR"),
        twin(
            "does nothing: CHECK bucket, 100,000 keys",
            &[|w, n, _| write(w, &[b"NOOP.CHECK", &key("nu", n), b"1/1s"])],
        )
        .beside("INCR, 100,000 keys"),
        twin("does nothing: CLAIM, fresh", &[|w, n, _| write(w, &[b"NOOP.CLAIM", &fresh("c", n)])])
            .beside("SET NX EX, fresh"),
        twin("does nothing: GETSET hit, 100 B", &[|w, _, _| write(w, &[b"NOOP.HIT", b"n:k"])])
            .beside("GET, 100 B"),
        twin("does nothing: PUSH + POP + ACK, 200 B", QUEUE)
            .beside("LPUSH + LMOVE + LREM, 200 B")
            .beside("XADD + XREADGROUP + XACK + XDEL, 200 B"),
        batch("does nothing: MPUSH of 100, a job", 0).beside("LPUSH of 100, an element"),
        batch("does nothing: POP COUNT 100, a job", 1).beside("LPOP of 100, an element"),
        batch("does nothing: MACK of 100, a job", 2).beside("ZREM of 100, a member"),
    ]
}

/// The name of the twin of a command of ours.
pub fn twin_of(name: &str) -> String {
    format!("{TWIN}{name}")
}
