//! ACQUIRE and RELEASE: concurrency limits by leases.

use crate::support::{Untouched, eventually, list, server, token, within};

#[test]
fn places_are_taken_renewed_and_given_back() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 2").is(list![1, 1, 2, 0, token()]);
    s.ok("RATELIMIT.ACQUIRE u b MAX 2 LEASE 1h").is(list![1, 2, 2, 0, token()]);
    let untouched = Untouched::on(&s);
    untouched.during("u", || {
        s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![0, 2, 2, within(29_000..=30_000), 0]);
    });
    s.ok("RATELIMIT.ACQUIRE u a MAX 2 LEASE 2h").is(list![1, 2, 2, 0, token()]);
    s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![0, 2, 2, within(3_590_000..=3_600_000), 0]);
    s.ok("RATELIMIT.RELEASE u a").is(1);
    untouched.during("u", || s.ok("RATELIMIT.RELEASE u a").is(0));
    s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![1, 2, 2, 0, token()]);
    s.ok("RATELIMIT.RELEASE u b").is(1);
    s.ok("RATELIMIT.RELEASE u c").is(1);
    s.ok("EXISTS u").is(0);
}

#[test]
fn a_place_whose_lease_runs_out_is_free() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1 LEASE 40ms");
    eventually("the place is free", || s.ok("RATELIMIT.ACQUIRE u b MAX 1").at(0).int() == 1);
    s.ok("RATELIMIT.RELEASE u a").is(0);
}

#[test]
fn a_copy_has_free_places() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1");
    s.ok("RATELIMIT.CHECK u 10/1h");
    s.ok("COPY u v").is(1);
    s.ok("RATELIMIT.ACQUIRE v b MAX 1").at(0).clone().is(1);
    // Places alone leave nothing to copy.
    s.ok("RATELIMIT.ACQUIRE only a MAX 1");
    s.refuses("COPY only w", "ERR");
    s.ok("EXISTS w").is(0);
}

#[test]
fn malformed_calls_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 2");
    let untouched = Untouched::on(&s);
    let long = "h".repeat(129);
    for rest in [
        "b".to_owned(),
        "b MAX 0".to_owned(),
        "b MAX 10001".to_owned(),
        "b MAX x".to_owned(),
        "b MAX 2 MAX 2".to_owned(),
        "b MAX 2 LEASE 30".to_owned(),
        "b MAX 2 LEASE 0s".to_owned(),
        "b LEASE 30s".to_owned(),
        "b MAX 2 TOKEN 0".to_owned(),
        "b MAX 2 TOKEN".to_owned(),
        "b MAX 2 TOKEN x".to_owned(),
        "b MAX 2 TOKEN 7 BLOCK 1s".to_owned(),
        "b MAX 2 BLOCK 0s".to_owned(),
        "b MAX 2 BLOCK 5".to_owned(),
        format!("{long} MAX 2"),
    ] {
        untouched.refuses("u", format!("RATELIMIT.ACQUIRE u {rest}"), "ERR");
    }
    untouched.refuses("u", format!("RATELIMIT.RELEASE u {long}"), "ERR");
    for rest in ["a TOKEN", "a TOKEN 0", "a FORCE", "a TOKEN 1 TOKEN 1"] {
        untouched.refuses("u", format!("RATELIMIT.RELEASE u {rest}"), "ERR");
    }
    s.ok("SET string x");
    untouched.refuses("string", "RATELIMIT.ACQUIRE string a MAX 1", "WRONGTYPE");
    untouched.refuses("string", "RATELIMIT.RELEASE string a", "WRONGTYPE");
}

#[test]
fn a_place_keeps_its_token_until_it_is_lost() {
    let s = server!();
    let first = s.ok("RATELIMIT.ACQUIRE u a MAX 1").at(4).int();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1").is(list![1, 1, 1, 0, first]);
    s.ok(format!("RATELIMIT.ACQUIRE u a MAX 1 LEASE 1h TOKEN {first}")).is(list![1, 1, 1, 0, first]);
    let untouched = Untouched::on(&s);
    for other in [first + 1, first - 1] {
        untouched.refuses("u", format!("RATELIMIT.ACQUIRE u a MAX 1 TOKEN {other}"), "FENCED");
        untouched.refuses("u", format!("RATELIMIT.RELEASE u a TOKEN {other}"), "FENCED");
    }
    untouched.refuses("u", format!("RATELIMIT.ACQUIRE u b MAX 2 TOKEN {first}"), "FENCED");
    untouched.during("u", || s.ok(format!("RATELIMIT.RELEASE u b TOKEN {first}")).is(0));
    s.ok(format!("RATELIMIT.RELEASE u a TOKEN {first}")).is(1);
    s.ok(format!("RATELIMIT.RELEASE u a TOKEN {first}")).is(0);
    s.refuses(format!("RATELIMIT.ACQUIRE u a MAX 1 TOKEN {first}"), "FENCED");
    let second = s.ok("RATELIMIT.ACQUIRE u a MAX 1").at(4).int();
    assert!(second > first);
    s.refuses(format!("RATELIMIT.RELEASE u a TOKEN {first}"), "FENCED");
    s.ok(format!("RATELIMIT.RELEASE u a TOKEN {second}")).is(1);
}

#[test]
fn a_place_whose_lease_ended_is_fenced_and_taken_anew_with_another_token() {
    let s = server!();
    let first = s.ok("RATELIMIT.ACQUIRE u a MAX 1 LEASE 30ms").at(4).int();
    eventually("the lease ends", || s.ok("RATELIMIT.RELEASE u a").int() == 0);
    s.refuses(format!("RATELIMIT.ACQUIRE u a MAX 1 TOKEN {first}"), "FENCED");
    assert!(s.ok("RATELIMIT.ACQUIRE u a MAX 1").at(4).int() > first);
}

#[test]
fn tokens_of_places_survive_a_restart_and_reach_replicas() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    let first = s.ok("RATELIMIT.ACQUIRE u a MAX 2 LEASE 1h").at(4).int();
    s.in_step_with(&r);
    assert_eq!(s.ok("WORKGATE.DIGEST u"), r.ok("WORKGATE.DIGEST u"));
    s.crash_and_restart();
    s.ok(format!("RATELIMIT.ACQUIRE u a MAX 2 LEASE 1h TOKEN {first}")).at(4).clone().is(first);
    assert!(s.ok("RATELIMIT.ACQUIRE u b MAX 2 LEASE 1h").at(4).int() > first);
}
