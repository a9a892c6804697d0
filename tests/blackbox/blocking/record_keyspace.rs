//! Waiters of IDEMP and CACHE when keys are moved about under them.

use crate::support::{Server, Waiter, server};

/// A finished record and a filled value, under the names `done` and `full` of the selected
/// database.
fn finished(s: &Server) {
    let t = s.ok("IDEMP.CLAIM done").at(2).int();
    s.ok(format!("IDEMP.COMPLETE done {t} result"));
    s.ok("CACHE.SET full value TTL 1h");
}

/// Two clients that wait for the claim `k` and two for the value `c`, both held by others.
fn waiting(s: &Server) -> ([Waiter; 2], [Waiter; 2]) {
    s.ok("IDEMP.CLAIM k LEASE 1h");
    s.ok("CACHE.GETSET c LEASE 1h");
    let claims = [s.waits("IDEMP.CLAIM k BLOCK 1m"), s.waits("IDEMP.CLAIM k BLOCK 1m")];
    let reads = [s.waits("CACHE.GETSET c BLOCK 1m"), s.waits("CACHE.GETSET c BLOCK 1m")];
    (claims, reads)
}

#[track_caller]
fn all_get_what_is_there(claims: &[Waiter], reads: &[Waiter]) {
    for (waiters, state, value) in [(claims, "DONE", "result"), (reads, "HIT", "value")] {
        for waiter in waiters {
            let reply = waiter.reply();
            reply.at(0).clone().is(state);
            reply.at(1).clone().is(value);
        }
    }
}

#[track_caller]
fn the_first_of_each_is_promoted(s: &Server, claims: &[Waiter], reads: &[Waiter]) {
    for (waiters, state) in [(claims, "CLAIMED"), (reads, "FILL")] {
        waiters[0].reply().at(0).clone().is(state);
        waiters[1].still_waits(s);
    }
}

#[test]
fn what_is_renamed_onto_the_awaited_key_is_given_to_all() {
    let s = server!();
    finished(&s);
    let (claims, reads) = waiting(&s);
    s.ok("RENAME done k");
    s.ok("RENAME full c");
    all_get_what_is_there(&claims, &reads);
}

#[test]
fn what_is_copied_or_restored_onto_the_awaited_key_is_given_to_all() {
    let s = server!();
    finished(&s);
    let (claims, reads) = waiting(&s);
    s.ok("COPY done k REPLACE").is(1);
    let dump = s.ok("DUMP full").bytes().to_vec();
    s.ok(crate::support::cmd!["RESTORE", "c", 0, dump, "REPLACE"]);
    all_get_what_is_there(&claims, &reads);
}

#[test]
fn what_is_swapped_in_with_the_database_is_given_to_all() {
    let s = server!();
    finished(&s);
    s.ok("RENAME done k");
    s.ok("RENAME full c");
    s.ok("SWAPDB 0 1");
    let (claims, reads) = waiting(&s);
    s.ok("SWAPDB 0 1");
    all_get_what_is_there(&claims, &reads);
}

#[test]
fn an_empty_database_swapped_in_promotes_the_first() {
    let s = server!();
    let (claims, reads) = waiting(&s);
    s.ok("SWAPDB 0 1");
    the_first_of_each_is_promoted(&s, &claims, &reads);
}

#[test]
fn a_flush_promotes_the_first_and_one_of_another_database_nobody() {
    let s = server!();
    let (claims, reads) = waiting(&s);
    s.ok("SELECT 1");
    s.ok("SET other v");
    s.ok("FLUSHDB");
    s.ok("SELECT 0");
    for waiter in claims.iter().chain(&reads) {
        waiter.still_waits(&s);
    }
    s.ok("FLUSHDB");
    the_first_of_each_is_promoted(&s, &claims, &reads);
}
