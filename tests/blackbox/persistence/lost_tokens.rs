//! Tokens that were granted and lost do not come again.

use std::collections::HashSet;

use crate::support::{Server, server, status};

/// A token of every kind.
fn granted(s: &Server) -> [i64; 4] {
    [
        s.ok("JOBQ.POP q").at(0).at(1).int(),
        s.ok("IDEMP.CLAIM claim LEASE 1h").at(2).int(),
        s.ok("CACHE.GETSET fill LEASE 1h").at(2).int(),
        s.ok("RATELIMIT.ACQUIRE places holder MAX 1 LEASE 1h").at(4).int(),
    ]
}

#[test]
fn starts_from_the_same_file_grant_other_tokens_each_time() {
    let mut s = server!();
    s.ok("JOBQ.PUSH q p");
    s.ok("SAVE").is(status("OK"));
    let mut seen = HashSet::new();
    for start in 1..=6 {
        s.crash_and_restart();
        for token in granted(&s) {
            assert!(seen.insert(token), "the token {token} came twice, the last time after start {start}");
        }
    }
}

#[test]
fn starts_without_any_file_grant_other_tokens_each_time() {
    let mut s = server!();
    let mut seen = HashSet::new();
    for _ in 0..6 {
        s.ok("JOBQ.PUSH q p");
        for token in granted(&s) {
            assert!(seen.insert(token), "the token {token} came twice");
        }
        s.crash_and_restart();
    }
}

#[test]
fn promotions_in_a_row_grant_other_tokens_each_time() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let mut seen = HashSet::new();
    // Each of them takes over from the same state: what the others granted is lost to it.
    for _ in 0..4 {
        let r = s.replica(&[]);
        r.ok("REPLICAOF NO ONE");
        for token in granted(&r) {
            assert!(seen.insert(token), "the token {token} came twice");
        }
    }
}
