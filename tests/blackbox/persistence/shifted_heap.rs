//! Blocks of every size lie where the code expects them, whatever the server's heap looks like.
//!
//! Official Redis builds bundle a jemalloc that aligns to 8 bytes only. What breaks there depends
//! on the blocks that were handed out before, so the tests shift the heap by one more block each
//! round.

use crate::support::{Server, server};

/// The commands whose tables have once been read where they were not aligned.
fn use_tables(s: &mut Server, round: usize) {
    let q = format!("q{round}");
    for group in ["a", "b", "c", "d"] {
        s.ok(format!("JOBQ.PUSH {q} x GROUP {group}"));
    }
    assert_eq!(s.ok(format!("JOBQ.POP {q} COUNT 4")).items().len(), 4);

    let ids = ["one", "two", "three", "four", "five", "six"];
    let count = 4 + round % 3;
    let wanted = ids[..count].join(" ");
    for id in &ids[..count] {
        s.ok(format!("JOBQ.PUSH {q} x ID {id}"));
    }
    assert_eq!(s.ok(format!("JOBQ.CANCEL {q} {wanted}")).items().len(), count);

    for id in ids {
        s.ok(format!("JOBQ.PUSH {q} x ID d-{id} RETRIES 0 PRIORITY -1"));
        let job = s.ok(format!("JOBQ.POP {q}"));
        let token = job.at(0).at(1).int();
        s.ok(format!("JOBQ.FAIL {q} d-{id} {token}"));
    }
    let dead = ids.map(|id| format!("d-{id}")).join(" ");
    assert_eq!(s.ok(format!("JOBQ.REDRIVE {q} IDS 6 {dead}")).at(0).int(), 6);

    s.ok(format!("IDEMP.SEEN seen{round} 1h a b c d e f g h"));
    s.ok(format!("CACHE.SET c{round} v TTL 1h TAGS 3 x y z"));
    s.ok(format!("RATELIMIT.CHECK r{round} a=5/1m b=10/1h:bucket c=1/1d"));
    s.ok(format!("BREAKER.REPORT b{round} OK 1 FAIL 1"));
}

#[test]
fn a_thousand_shifted_heaps_hold_every_table() {
    let mut s = server!();
    for round in 0..1000 {
        // Blocks of 8 to 64 bytes, of which the odd multiples of 8 shift what comes after them.
        s.ok(format!("SET pad{round} {}", "v".repeat(1 + round % 48)));
        if round % 7 == 0 {
            s.ok(format!("DEL pad{}", round / 2));
        }
        use_tables(&mut s, round);
    }
}

#[test]
fn a_fresh_server_with_one_short_key_holds_a_pop_of_four_groups() {
    let mut s = server!();
    s.ok("SET pad vvvvvvvvvvvvvvvvvvvvvvvv");
    use_tables(&mut s, 0);
}
