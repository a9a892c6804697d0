//! ACQUIRE … BLOCK: waiting for a place, in order.

use crate::support::{eventually, list, server, token, within};

#[test]
fn waiting_clients_get_the_places_in_their_order() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u first MAX 1 LEASE 1h");
    let waiters: Vec<_> =
        (0..5).map(|n| s.waits(format!("RATELIMIT.ACQUIRE u w{n} MAX 1 LEASE 1h BLOCK 1h"))).collect();
    s.ok("RATELIMIT.RELEASE u first").is(1);
    for (n, waiter) in waiters.iter().enumerate() {
        waiter.reply().is(list![1, 1, 1, 0, token()]);
        // No other holder has it.
        s.ok("RATELIMIT.ACQUIRE u other MAX 1").at(0).clone().is(0);
        s.ok(format!("RATELIMIT.RELEASE u w{n}")).is(1);
    }
    s.ok("EXISTS u").is(0);
}

#[test]
fn the_end_of_a_lease_an_unlock_and_a_reset_wake_who_waits() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1 LEASE 50ms");
    s.waits("RATELIMIT.ACQUIRE u b MAX 1 LEASE 1h BLOCK 1h").reply().is(list![1, 1, 1, 0, token()]);
    let c = s.waits("RATELIMIT.ACQUIRE u c MAX 1 LEASE 1h BLOCK 1h");
    s.ok("RATELIMIT.RESET u");
    c.reply().is(list![1, 1, 1, 0, token()]);
    s.ok("RATELIMIT.LOCK u 1h");
    let d = s.waits("RATELIMIT.ACQUIRE u d MAX 2 LEASE 1h BLOCK 1h");
    s.ok("RATELIMIT.UNLOCK u").is(1);
    d.reply().is(list![1, 2, 2, 0, token()]);
    let e = s.waits("RATELIMIT.ACQUIRE u e MAX 2 LEASE 1h BLOCK 1h");
    s.ok("DEL u").is(1);
    e.reply().is(list![1, 1, 2, 0, token()]);
}

#[test]
fn a_call_with_block_stands_behind_those_who_wait_and_one_without_does_not() {
    let s = server!();
    for holder in ["a", "b"] {
        s.ok(format!("RATELIMIT.ACQUIRE u {holder} MAX 2 LEASE 1h"));
    }
    let narrow = s.waits("RATELIMIT.ACQUIRE u narrow MAX 2 LEASE 1h BLOCK 1h");
    // There is room for the second one, but it came later.
    let wide = s.waits("RATELIMIT.ACQUIRE u wide MAX 5 LEASE 1h BLOCK 1h");
    s.ok("RATELIMIT.ACQUIRE u now MAX 3 LEASE 1h").at(0).clone().is(1);
    // A holder that has a place renews it at once.
    s.ok("RATELIMIT.ACQUIRE u a MAX 2 LEASE 1h BLOCK 1h").at(0).clone().is(1);
    s.ok("RATELIMIT.RELEASE u now");
    s.ok("RATELIMIT.RELEASE u a");
    narrow.reply().is(list![1, 2, 2, 0, token()]);
    wide.reply().is(list![1, 3, 5, 0, token()]);
}

#[test]
fn when_the_time_is_over_the_answer_is_a_denial() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1 LEASE 1h");
    let late = s.waits("RATELIMIT.ACQUIRE u b MAX 1 BLOCK 40ms");
    late.reply().is(list![0, 1, 1, within(3_590_000..=3_600_000), 0]);
    // In a transaction BLOCK acts as if it was not given.
    s.transaction(["RATELIMIT.ACQUIRE u b MAX 1 BLOCK 1h"])[0].at(0).clone().is(0);
    s.ok("RATELIMIT.RELEASE u a");
    s.ok("EXISTS u").is(0);
}

#[test]
fn a_place_granted_to_a_client_that_left_goes_to_the_next() {
    let s = server!();
    s.ok("RATELIMIT.ACQUIRE u a MAX 1 LEASE 1h");
    let gone = s.waits("RATELIMIT.ACQUIRE u gone MAX 1 LEASE 1h BLOCK 1h");
    let next = s.waits("RATELIMIT.ACQUIRE u next MAX 1 LEASE 1h BLOCK 1h");
    drop(gone);
    s.ok("RATELIMIT.RELEASE u a").is(1);
    next.reply().is(list![1, 1, 1, 0, token()]);
}

#[test]
fn a_hundred_waiters_share_eight_places_one_attempt_a_grant() {
    let s = server!();
    for holder in 0..8 {
        s.ok(format!("RATELIMIT.ACQUIRE u h{holder} MAX 8 LEASE 1h"));
    }
    let waiters: Vec<_> =
        (0..100).map(|n| s.waits(format!("RATELIMIT.ACQUIRE u w{n} MAX 8 LEASE 1h BLOCK 1h"))).collect();
    let before = s.ok("WORKGATE.TEST ATTEMPTS").int();
    for holder in 0..8 {
        s.ok(format!("RATELIMIT.RELEASE u h{holder}"));
    }
    for (n, waiter) in waiters.iter().enumerate() {
        waiter.reply().at(0).clone().is(1);
        s.ok(format!("RATELIMIT.RELEASE u w{n}"));
    }
    // A grant takes one attempt; each of the 108 releases looks once more at the head.
    let attempts = s.ok("WORKGATE.TEST ATTEMPTS").int() - before;
    assert!(attempts <= 100 + 3 * 108, "{attempts}");
    eventually("the key is gone", || s.ok("EXISTS u").int() == 0);
}
