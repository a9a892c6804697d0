//! CACHE: one filler, its fill, stale values, fencing.

use crate::support::{any, eventually, list, nil, server, token, within};

#[test]
fn a_miss_hands_out_the_one_token() {
    let s = server!();
    s.ok("CACHE.GETSET k").is(list!["FILL", nil(), token(), any()]);
    s.ok("CACHE.GETSET k").is(list!["BUSY", nil(), 0, within(1..=10_000)]);
    s.ok("CACHE.GET k").is(nil());
}

#[test]
fn the_fill_is_a_hit() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    s.ok(format!("CACHE.SET k value TOKEN {t} TTL 1h")).is(1);
    s.ok("CACHE.GETSET k").is(list!["HIT", "value", 0, within(3_590_000..=3_600_000)]);
    s.ok("CACHE.GET k").is("value");
}

#[test]
fn without_a_ttl_the_value_has_no_end() {
    let s = server!();
    s.ok("CACHE.SET k value").is(1);
    s.ok("CACHE.GETSET k").is(list!["HIT", "value", 0, -1]);
    s.ok("PTTL k").is(-1);
}

#[test]
fn a_value_disappears_after_ttl_and_grace() {
    let s = server!();
    s.ok("CACHE.SET k value TTL 1h GRACE 1h");
    s.ok("PTTL k").is(within(7_190_000..=7_200_000));
    s.ok("CACHE.SET k value TTL 40ms");
    eventually("the key is gone", || s.ok("EXISTS k").int() == 0);
    s.ok("CACHE.GETSET k").at(0).clone().is("FILL");
}

#[test]
fn one_recomputes_a_stale_value_and_the_others_are_served_it() {
    let s = server!();
    s.ok("CACHE.SET k old TTL 30ms GRACE 1h");
    let mut token = 0;
    eventually("the value is stale", || {
        let reply = s.ok("CACHE.GETSET k LEASE 1m");
        token = reply.at(2).int();
        reply.at(0).text() == "REFRESH"
    });
    s.ok("CACHE.GETSET k").is(list!["STALE", "old", 0, any()]);
    s.ok("CACHE.GET k").is(nil());
    s.ok(format!("CACHE.SET k new TOKEN {token} TTL 1h")).is(1);
    s.ok("CACHE.GETSET k").at(1).clone().is("new");
}

#[test]
fn a_crashed_filler_is_replaced_when_its_lease_ends() {
    let s = server!();
    let first = s.ok("CACHE.GETSET k LEASE 30ms").at(2).int();
    let mut second = 0;
    eventually("the lease ends", || {
        let reply = s.ok("CACHE.GETSET k LEASE 1m");
        second = reply.at(2).int();
        reply.at(0).text() == "FILL"
    });
    assert!(second > first, "tokens rise");
    s.ok(format!("CACHE.SET k late TOKEN {first} TTL 1h")).is(0);
    s.ok("CACHE.GETSET k").at(0).clone().is("BUSY");
    s.ok(format!("CACHE.SET k right TOKEN {second} TTL 1h")).is(1);
    s.ok("CACHE.GET k").is("right");
}

#[test]
fn the_record_of_a_lease_outlives_it() {
    let s = server!();
    s.ok("CACHE.GETSET k LEASE 1m");
    s.ok("PTTL k").is(within(119_000..=600_000));
}

#[test]
fn a_slow_load_is_still_stored_while_nobody_took_over() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k LEASE 200ms").at(2).int();
    s.goes_on(210);
    s.ok(format!("CACHE.SET k slow TOKEN {t} TTL 1h")).is(1);
    s.ok("CACHE.GET k").is("slow");
}

#[test]
fn an_unconditional_set_supersedes_a_fill_in_flight() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    s.ok("CACHE.SET k newer TTL 1h").is(1);
    s.ok(format!("CACHE.SET k older TOKEN {t} TTL 1h")).is(0);
    s.ok("CACHE.GET k").is("newer");
}

#[test]
fn a_deletion_fences_a_fill_in_flight() {
    let s = server!();
    let t = s.ok("CACHE.GETSET k").at(2).int();
    s.ok("DEL k").is(1);
    s.ok(format!("CACHE.SET k gone TOKEN {t} TTL 1h")).is(0);
    s.ok("EXISTS k").is(0);
}

#[test]
fn a_plain_string_is_a_hit_and_never_leased() {
    let s = server!();
    s.ok("SET k plain");
    s.ok("CACHE.GETSET k").is(list!["HIT", "plain", 0, -1]);
    s.ok("CACHE.GET k").is("plain");
    s.ok("CACHE.SET k other TOKEN 5").is(0);
    s.ok("GET k").is("plain");
    s.ok("PEXPIRE k 100000");
    s.ok("CACHE.GETSET k").is(list!["HIT", "plain", 0, within(90_000..=100_000)]);
    s.ok("SET k 12345");
    s.ok("CACHE.GET k").is("12345");
}

#[test]
fn one_fill_whatever_the_number_of_readers() {
    let s = server!();
    let replies = s.pipeline(vec!["CACHE.GETSET k"; 500]);
    let fills = replies.iter().filter(|reply| reply.at(0).text() == "FILL").count();
    assert_eq!(fills, 1);
    assert!(replies[1..].iter().all(|reply| reply.at(0).text() == "BUSY"));
}

#[test]
fn a_client_that_tracks_its_reads_hears_of_a_change() {
    let s = server!();
    s.ok("CACHE.SET k old TTL 1h");
    let c = s.client3();
    for change in ["CACHE.SET k new TTL 1h", "DEL k"] {
        c.ok("CLIENT TRACKING ON");
        c.ok("CACHE.GET k");
        s.ok(change);
        c.read().is(list!["invalidate", list!["k"]]);
    }
}

#[test]
fn an_empty_value_is_a_value() {
    let s = server!();
    s.ok(crate::support::cmd!["CACHE.SET", "k", ""]).is(1);
    s.ok("CACHE.GETSET k").is(list!["HIT", "", 0, -1]);
}
