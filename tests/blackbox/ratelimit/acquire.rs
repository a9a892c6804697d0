//! ACQUIRE and RELEASE: concurrency limits by leases.

use crate::support::{Untouched, eventually, list, server, within};

#[test]
fn places_are_taken_renewed_and_given_back() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 2").is(list![1, 1, 2, 0]);
    s.ok("RATELIMIT.ACQUIRE u b MAX 2 LEASE 1h").is(list![1, 2, 2, 0]);
    let untouched = Untouched::on(&s);
    untouched.during("u", || {
        s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![0, 2, 2, within(29_000..=30_000)]);
    });
    s.ok("RATELIMIT.ACQUIRE u a MAX 2 LEASE 2h").is(list![1, 2, 2, 0]);
    s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![0, 2, 2, within(3_590_000..=3_600_000)]);
    s.ok("RATELIMIT.RELEASE u a").is(1);
    untouched.during("u", || s.ok("RATELIMIT.RELEASE u a").is(0));
    s.ok("RATELIMIT.ACQUIRE u c MAX 2").is(list![1, 2, 2, 0]);
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
        format!("{long} MAX 2"),
    ] {
        untouched.refuses("u", format!("RATELIMIT.ACQUIRE u {rest}"), "ERR");
    }
    untouched.refuses("u", format!("RATELIMIT.RELEASE u {long}"), "ERR");
    s.ok("SET string x");
    untouched.refuses("string", "RATELIMIT.ACQUIRE string a MAX 1", "WRONGTYPE");
    untouched.refuses("string", "RATELIMIT.RELEASE string a", "WRONGTYPE");
}
