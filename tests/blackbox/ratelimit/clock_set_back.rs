//! A clock that is set back: waits stay within their own periods, on replicas and after restarts
//! too.

use crate::support::{list, server, token, within};

const HOUR: i64 = 3_600_000;

#[test]
fn no_wait_lasts_for_the_hour_that_the_clock_went_back() {
    let s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok(format!("WORKGATE.TEST CLOCK {HOUR}"));
    let limits = ["5/1m", "n=5/1m", "5/1m:bucket", "n=5/1m:bucket", "5/1m:fixed"];
    for (index, limit) in limits.iter().enumerate() {
        s.ok(format!("RATELIMIT.CHECK k{index} {limit} COST 5")).at(0).clone().is(5);
    }
    s.ok("RATELIMIT.LOCK locked 1m");
    s.ok("RATELIMIT.ACQUIRE places a MAX 1 LEASE 1m");
    s.ok("WORKGATE.TEST CLOCK 0");
    for (index, limit) in limits.iter().enumerate() {
        // Reads compute it, denials tell it, and nothing is granted twice.
        let wait = || within(1..=60_000);
        s.ok(format!("RATELIMIT.PEEK k{index} {limit}")).is(list![0, 5, 0, wait(), wait()]);
        s.ok(format!("RATELIMIT.CHECK k{index} {limit}")).is(list![0, 5, 0, wait(), wait()]);
        // A write makes it the state: the expiry of the key, and what a replica holds.
        s.ok(format!("RATELIMIT.CHECK k{index} x=9/1s")).at(0).clone().is(1);
        s.ok(format!("PTTL k{index}")).is(within(1..=60_000));
        s.ok(format!("RATELIMIT.PEEK k{index} {limit}")).at(3).clone().is(wait());
    }
    s.ok("RATELIMIT.CHECK locked 5/1m").at(3).clone().is(within(59_000..=60_000));
    s.ok("RATELIMIT.ACQUIRE places b MAX 1").is(list![0, 1, 1, within(59_000..=60_000), 0]);
    s.ok("RATELIMIT.ACQUIRE places c MAX 2").is(list![1, 2, 2, 0, token()]);
    s.ok("PTTL places").is(within(1..=60_000));
    s.in_step_with(&r);
    assert_eq!(s.ok("WORKGATE.DIGEST"), r.ok("WORKGATE.DIGEST"));
}

#[test]
fn a_calendar_quota_keeps_its_use_on_the_day_before() {
    let s = server!();
    s.ok(format!("WORKGATE.TEST CLOCK {}", 24 * HOUR));
    s.ok("RATELIMIT.CHECK u n=5/day@UTC COST 5");
    s.ok("WORKGATE.TEST CLOCK 0");
    let rest = || within(1..=24 * HOUR);
    s.ok("RATELIMIT.CHECK u n=5/day@UTC").is(list![0, 5, 0, rest(), rest()]);
    s.ok("RATELIMIT.PEEK u n=5/day@UTC").is(list![0, 5, 0, rest(), rest()]);
    s.ok("RATELIMIT.CHECK u n=6/day@UTC").at(0).clone().is(1);
    s.ok("RATELIMIT.CHECK u n=6/day@UTC").at(0).clone().is(0);
}
