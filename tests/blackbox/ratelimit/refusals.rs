//! What RATELIMIT.CHECK and PEEK refuse, and that a refusal changes nothing.

use crate::support::{Untouched, cmd, list, server};

#[test]
fn malformed_limits_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h");
    let untouched = Untouched::on(&s);
    for limit in [
        "0/1m:bucket",
        "-1/1m",
        "1.5/1m",
        "x/1m",
        "/1m",
        "10/",
        "10/60",
        "10/0s",
        "10/-1s",
        "10/1w",
        "10/3651d",
        "10/1m/1m",
        "1000000000001/1m",
        "18446744073709551616/1m",
        "99999999999999999999999999/1m",
        "10/99999999999999999999d",
        "10/1m:",
        "10/1m:burst",
        "10/1m:burst=",
        "10/1m:burst=0",
        "10/1m:burst=-1",
        "10/1m:burst=1000000000001",
        "10/1m:unknown",
        "10/1m:bucket:bucket",
        "=10/1m",
        "a,b=10/1m",
        "inf/1m",
        "inf/1m:bucket",
        "30/day",
        "30/day:fixed",
        "30/day@",
        "30/day@Mars",
        "30/1d@UTC",
        "30/year@UTC",
        "30/day@UTC:anchor=1",
        "30/week@UTC:anchor=8",
        "30/month@UTC:anchor=0",
        "30/month@UTC:anchor=32",
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u {limit}"), "ERR");
        untouched.refuses("u", format!("RATELIMIT.PEEK u {limit}"), "ERR");
    }
}

#[test]
fn a_name_is_one_to_sixty_four_harmless_bytes() {
    let s = server!();
    let untouched = Untouched::on(&s);
    let longest = "a".repeat(64);
    untouched.refuses("u", format!("RATELIMIT.CHECK u {longest}a=10/1m"), "ERR");
    untouched.refuses("u", cmd!["RATELIMIT.CHECK", "u", b"\xff=10/1m"], "ERR");
    untouched.refuses("u", cmd!["RATELIMIT.CHECK", "u", b"a\0=10/1m"], "ERR");
    untouched.refuses("u", cmd!["RATELIMIT.CHECK", "u", "a b=10/1m"], "ERR");
    s.ok(format!("RATELIMIT.CHECK u {longest}=10/1m"));
    s.ok("RATELIMIT.CHECK v Az09_.:-=10/1m").is(list![1, 10, 9, 0, 60_000]);
}

#[test]
fn a_limit_given_twice_is_refused() {
    let s = server!();
    let untouched = Untouched::on(&s);
    untouched.refuses("u", "RATELIMIT.CHECK u 10/1m 10/60s", "ERR");
    untouched.refuses("u", "RATELIMIT.CHECK u a=10/1m a=20/1m", "ERR");
}

#[test]
fn malformed_options_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h");
    let untouched = Untouched::on(&s);
    for options in [
        "COST",
        "COST 0",
        "COST -1",
        "COST 1.5",
        "COST x",
        "COST 1000000000001",
        "COST 18446744073709551616",
        "COST 1 COST 1",
        "COST a=",
        "COST =1",
        "COST 10/1h=0",
        "DETAIL DETAIL",
        "BRIEF BRIEF",
        "BRIEF DETAIL",
        "NONSENSE",
        "DETAIL NONSENSE",
        "10",
        "COST 1 20/1h",
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u 10/1h {options}"), "ERR");
    }
    untouched.refuses("u", "RATELIMIT.PEEK u 10/1h BRIEF", "ERR");
    untouched.refuses("u", "RATELIMIT.CHECK u COST 1", "ERR");
}

#[test]
fn a_period_without_a_unit_is_refused_with_both_readings() {
    let s = server!();
    let text = s.refuses("RATELIMIT.CHECK u 10/60", "ERR");
    assert!(text.contains("60s") && text.contains("60ms"), "{text}");
}

#[test]
fn a_read_only_peek_changes_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h");
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.PEEK u 10/1h"));
    untouched.during("u", || s.ok("RATELIMIT.PEEK u 10/1h COST 3 DETAIL"));
    untouched.during("u", || s.ok("RATELIMIT.PEEK u"));
    untouched.during("missing", || s.ok("RATELIMIT.PEEK missing 10/1h"));
}

#[test]
fn a_denial_changes_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h");
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.CHECK u 1/1h").at(0).clone().is(0));
    untouched.during("v", || s.ok("RATELIMIT.CHECK v 1/1h COST 2").at(0).clone().is(0));
}
