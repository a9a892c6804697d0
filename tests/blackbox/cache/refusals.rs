//! CACHE: what is refused or loses, and that it changes nothing; re-sends.

use crate::support::{Untouched, cmd, nil, server};

#[test]
fn malformed_calls_are_refused_and_change_nothing() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    let untouched = Untouched::on(&s);
    for rest in [
        "LEASE",
        "LEASE 10",
        "LEASE 0s",
        "LEASE -1s",
        "LEASE 3651d",
        "BLOCK 0s",
        "BLOCK 5",
        "BLOCK",
        "LEASE 1s LEASE 1s",
        "NONSENSE",
        "LEASE 1s NONSENSE",
    ] {
        untouched.refuses("k", format!("CACHE.GETSET k {rest}"), "ERR");
        untouched.refuses("new", format!("CACHE.GETSET new {rest}"), "ERR");
    }
    for rest in [
        "TTL",
        "TTL 60",
        "TTL 0s",
        "TTL -1s",
        "TTL 3651d",
        "TTL 99999999999999999999s",
        "GRACE",
        "GRACE 5",
        "GRACE -1s",
        "GRACE 3651d",
        "TOKEN",
        "TOKEN x",
        "TOKEN 1.5",
        "TOKEN 18446744073709551616",
        "TTL 1s TTL 1s",
        "GRACE 1s GRACE 1s",
        "NONSENSE",
        "TTL 1s NONSENSE",
    ] {
        untouched.refuses("k", format!("CACHE.SET k other {rest}"), "ERR");
        untouched.refuses("new", format!("CACHE.SET new other {rest}"), "ERR");
    }
}

#[test]
fn malformed_absences_releases_and_expiries_are_refused() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    s.ok("CACHE.GETSET leased LEASE 1h");
    let untouched = Untouched::on(&s);
    for rest in ["TTL", "TTL 5", "TTL 0s", "TOKEN", "TOKEN 0", "TOKEN x", "GRACE 1s", "v", "TTL 1s TTL 1s"] {
        untouched.refuses("k", format!("CACHE.ABSENT k {rest}"), "ERR");
        untouched.refuses("new", format!("CACHE.ABSENT new {rest}"), "ERR");
    }
    for rest in [
        "x",
        "0",
        "-1",
        "1.5",
        "9007199254740992",
        "5 DELAY",
        "5 DELAY 1",
        "5 DELAY -1s",
        "5 DELAY 3651d",
        "5 6",
    ] {
        untouched.refuses("leased", format!("CACHE.RELEASE leased {rest}"), "ERR");
    }
    for rest in ["TOUCH", "TOUCH 5", "TOUCH 0s", "TOUCH 1s TOUCH 1s", "TOUCH 3651d"] {
        untouched.refuses("k", format!("CACHE.GETSET k {rest}"), "ERR");
    }
    for rest in [
        "TTL 1h",
        "GRACE 1h",
        "TOKEN 5",
        "VALUE",
        "VALUE v TOKEN 5",
        "VALUE v LEASE 1s",
        "VALUE v BLOCK 1s",
        "VALUE v TOUCH 1s",
        "VALUE v TTL 0s",
        "VALUE v VALUE w",
    ] {
        untouched.refuses("k", format!("CACHE.GETSET k {rest}"), "ERR");
        untouched.refuses("new", format!("CACHE.GETSET new {rest}"), "ERR");
    }
    let many = vec!["k"; 1_001].join(" ");
    let refusal = untouched.refuses("k", format!("CACHE.EXPIRE {many}"), "ERR");
    assert_eq!(refusal, "ERR at most 1000 keys a call, 1001 were given");
}

#[test]
fn one_key_of_another_type_keeps_all_from_being_expired() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    s.ok("SET plain x");
    s.ok("RPUSH list a");
    let untouched = Untouched::on(&s);
    for key in ["k", "plain"] {
        untouched.refuses(key, "CACHE.EXPIRE k plain list", "WRONGTYPE");
    }
}

#[test]
fn a_release_of_nothing_changes_nothing() {
    let s = server!();
    s.ok("CACHE.GETSET leased LEASE 1h");
    s.ok("CACHE.SET k v TTL 1h");
    let untouched = Untouched::on(&s);
    for key in ["leased", "k", "missing"] {
        untouched.refuses(key, format!("CACHE.RELEASE {key} 5"), "FENCED");
        untouched.during("missing", || s.ok("CACHE.EXPIRE missing").is(0));
    }
}

#[test]
fn a_set_that_loses_changes_nothing() {
    let s = server!();
    s.ok("CACHE.GETSET leased");
    s.ok("SET plain x");
    let untouched = Untouched::on(&s);
    for key in ["leased", "plain", "missing"] {
        untouched.during(key, || s.ok(format!("CACHE.SET {key} other TOKEN 7 TTL 1h")).is(0));
    }
    untouched.during("leased", || s.ok("CACHE.GETSET leased").at(0).clone().is("BUSY"));
}

#[test]
fn a_hit_and_a_read_change_nothing() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h GRACE 1h");
    s.ok("SET plain x");
    let untouched = Untouched::on(&s);
    untouched.during("k", || s.ok("CACHE.GETSET k").at(0).clone().is("HIT"));
    untouched.during("k", || s.ok("CACHE.GET k").is("v"));
    untouched.during("plain", || s.ok("CACHE.GETSET plain").at(0).clone().is("HIT"));
    untouched.during("plain", || s.ok("CACHE.GET plain").is("x"));
    untouched.during("missing", || s.ok("CACHE.GET missing").is(nil()));
}

#[test]
fn a_set_without_a_token_sent_again_stores_the_same() {
    let s = server!();
    s.ok("CACHE.SET k v TTL 1h").is(1);
    s.ok("CACHE.SET k v TTL 1h").is(1);
    s.ok("CACHE.GET k").is("v");
}

#[test]
fn a_fill_sent_again_leaves_the_value() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    let fill = format!("CACHE.SET k v TOKEN {t} TTL 1h");
    s.ok(&fill).is(1);
    s.ok(&fill).is(1);
    s.ok("CACHE.GET k").is("v");
    // Nor does it come back over a newer value.
    s.ok("CACHE.SET k newer TTL 1h").is(1);
    s.ok(&fill).is(0);
    s.ok("CACHE.GET k").is("newer");
}

#[test]
fn a_key_of_any_bytes_holds_a_value_of_any_bytes() {
    let s = server!();
    let key = b"k\0\xff\r\n";
    let t = s.ok(cmd!["CACHE.GETSET", key]).at(2).int();
    s.ok(cmd!["CACHE.SET", key, b"\0\xfe\r\n", "TOKEN", t]).is(1);
    s.ok(cmd!["CACHE.GET", key]).is(b"\0\xfe\r\n");
}
