//! What is only counted in instructions: the other commands that a request goes through, and
//! batches, whose steps are told apart by leaving out the later ones.

use crate::batches::{LIST, MANY, QUEUE};
use crate::contender::{Contender, nothing};
use crate::our_commands::{entry, fresh};
use crate::support::resp::{Connection, write};

/// A subject that has used up what a policy gives it.
fn used_up(server: &mut Connection) -> Result<(), String> {
    server.call(&[b"RATELIMIT.POLICY", b"SET", b"free", b"requests=1/1d", b"100/30d"])?;
    server.call(&[b"RATELIMIT.CHECK", b"u", b"@free"]).map(drop)
}

pub fn contenders() -> Vec<Contender> {
    let mut all = requests();
    all.extend(batches());
    all
}

fn requests() -> Vec<Contender> {
    vec![
        Contender::ours(
            "CHECK of a policy, denied",
            used_up,
            &[|w, _, _| write(w, &[b"RATELIMIT.CHECK", b"u", b"@free"])],
        )
        .beside("INCR"),
        Contender::ours(
            "CLAIM + COMPLETE",
            nothing,
            &[
                |w, n, _| write(w, &[b"IDEMP.CLAIM", &fresh("c", n)]),
                |w, n, earlier| {
                    let token = earlier.of(0).at(2).int().to_string();
                    write(w, &[b"IDEMP.COMPLETE", &fresh("c", n), token.as_bytes(), b"done"]);
                },
            ],
        )
        .beside("SET NX EX, fresh"),
        Contender::ours(
            "SEEN, a fresh id",
            nothing,
            &[|w, n, _| write(w, &[b"IDEMP.SEEN", b"s", b"1d", &fresh("c", n)])],
        )
        .beside("SET NX EX, fresh"),
        Contender::ours("CACHE.GET hit, 100 B", entry, &[|w, _, _| write(w, &[b"CACHE.GET", b"k"])])
            .beside("GET, 100 B"),
        Contender::ours("ALLOW, closed", nothing, &[|w, _, _| write(w, &[b"BREAKER.ALLOW", b"b"])])
            .beside("INCR"),
        Contender::ours(
            "REPORT of a success",
            nothing,
            &[|w, _, _| write(w, &[b"BREAKER.REPORT", b"b", b"OK", b"1"])],
        )
        .beside("INCR"),
    ]
}

fn batches() -> Vec<Contender> {
    let of_each = |contender: Contender| contender.of_each(MANY);
    let of_lists = |name, steps: usize| Contender::new(name, nothing, &LIST[..steps]);
    let ours = |name, steps: usize, of| Contender::ours(name, nothing, &QUEUE[..steps]).beside(of);
    let all = [
        of_lists("LPUSH of 100", 1),
        of_lists("LPUSH + LPOP of 100", 2),
        ours("MPUSH of 100", 1, "LPUSH of 100"),
        ours("MPUSH + POP COUNT of 100", 2, "LPUSH + LPOP of 100"),
        ours("MPUSH + POP COUNT + MACK of 100", 3, "LPUSH + LPOP of 100"),
    ];
    all.into_iter().map(of_each).collect()
}
