//! CHECK … BLOCK: waiting until the limits allow, in order.

use crate::support::{Reply, Unit, Untouched, eventually, list, server, within};

/// The first element: what was taken.
#[track_caller]
fn taken(reply: &Reply) -> i64 {
    reply.at(0).int()
}

#[test]
fn a_call_that_passes_does_not_wait() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/1h BLOCK 1h").is(list![1, 5, 4, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK u 5/1h COST 2 BLOCK 1h BRIEF").is(2);
    s.ok("RATELIMIT.CHECK u a=5/1h b=9/1h BLOCK 1h").is(list![1, 5, 4, 0, 3_600_000, "a"]);
    s.ok("RATELIMIT.CHECK u 5/1h UPTO COST 9 BLOCK 1h").is(list![2, 5, 0, 0, within(3_590_000..=3_600_000)]);
}

#[test]
fn waiting_calls_are_granted_by_the_clock_in_the_order_of_their_coming() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/200ms");
    let waiters: Vec<_> = (0..4).map(|_| s.waits("RATELIMIT.CHECK u 1/200ms BLOCK 1h")).collect();
    let mut last = s.now();
    for (at, waiter) in waiters.iter().enumerate() {
        waiter.reply().is(list![1, 1, 0, 0, 200]);
        waiters[at + 1..].iter().take(1).for_each(|next| next.still_waits(&s));
        let now = s.now();
        assert!(at == 0 || now >= last, "{now} {last}");
        last = now;
    }
    eventually("the key is gone", || s.ok("EXISTS u").int() == 0);
}

#[test]
fn whatever_makes_room_wakes_who_waits() {
    let s = server!();
    for (begin, free) in [
        ("RATELIMIT.CHECK u a=2/1h COST 2", "RATELIMIT.REFUND u a=2/1h COST 1"),
        ("RATELIMIT.CHECK u a=2/1h COST 2 HOLD h 1h", "RATELIMIT.SETTLE u h COST 1"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "RATELIMIT.RESET u"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "RATELIMIT.RESET u a"),
        ("RATELIMIT.LOCK u 1h", "RATELIMIT.UNLOCK u"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "DEL u"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "RENAME u v"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "FLUSHALL"),
        ("RATELIMIT.CHECK u a=2/1h COST 2", "SWAPDB 0 1"),
    ] {
        s.ok(begin);
        let first = s.waits("RATELIMIT.CHECK u a=2/1h BLOCK 1h");
        s.ok(free);
        assert_eq!(taken(&first.reply()), 1, "{free}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn one_grant_wakes_one_client() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 3/1h COST 3");
    let waiters: Vec<_> = (0..20).map(|_| s.waits("RATELIMIT.CHECK u 3/1h BLOCK 1h")).collect();
    let before = s.ok("WORKGATE.TEST ATTEMPTS").int();
    for waiter in &waiters[..10] {
        s.ok("RATELIMIT.REFUND u 3/1h COST 1");
        waiter.reply().at(0).clone().is(1);
    }
    waiters[10..].iter().for_each(|waiter| waiter.still_waits(&s));
    let attempts = s.ok("WORKGATE.TEST ATTEMPTS").int() - before;
    assert!(attempts <= 10 * 3, "{attempts} attempts for 10 grants");
}

#[test]
fn a_large_cost_is_not_overtaken_by_those_who_wait_behind_it() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=10/1h COST 10");
    let large = s.waits("RATELIMIT.CHECK u a=10/1h COST 8 BLOCK 1h");
    let small = s.waits("RATELIMIT.CHECK u a=10/1h COST 1 BLOCK 1h");
    s.ok("RATELIMIT.REFUND u a=10/1h COST 4");
    small.still_waits(&s);
    // A later call with BLOCK stands behind them, one without does not look at the line.
    let last = s.waits("RATELIMIT.CHECK u a=10/1h BLOCK 1h");
    s.ok("RATELIMIT.CHECK u a=10/1h").at(0).clone().is(1);
    s.ok("RATELIMIT.REFUND u a=10/1h COST 6");
    assert_eq!(taken(&large.reply()), 8);
    assert_eq!(taken(&small.reply()), 1);
    last.still_waits(&s);
    s.ok("RATELIMIT.REFUND u a=10/1h COST 1");
    assert_eq!(taken(&last.reply()), 1);
}

#[test]
fn who_leaves_the_head_of_the_line_lets_the_next_one_pass() {
    let s = server!();
    for gone in ["its time", "a kill"] {
        s.ok("RATELIMIT.CHECK u a=10/1h COST 5");
        let block = if gone == "its time" { "100ms" } else { "1h" };
        let ask = format!("RATELIMIT.CHECK u a=10/1h COST 8 BLOCK {block}");
        let large = if gone == "its time" { s.asks(ask) } else { s.waits(ask) };
        let small = s.asks("RATELIMIT.CHECK u a=10/1h COST 1 BLOCK 1h");
        if gone == "its time" {
            assert_eq!(taken(&large.reply()), 0);
        } else {
            s.ok(format!("CLIENT KILL ID {}", large.id));
        }
        assert_eq!(taken(&small.reply()), 1, "{gone}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn only_those_who_want_the_same_limit_stand_behind_each_other() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=1/1h b=1/1h c=1/1h");
    s.ok("RATELIMIT.ACQUIRE u holder MAX 1 LEASE 1h");
    let a = s.waits("RATELIMIT.CHECK u a=1/1h BLOCK 1h");
    let both = s.waits("RATELIMIT.CHECK u a=1/1h b=1/1h BLOCK 1h");
    let b = s.waits("RATELIMIT.CHECK u b=1/1h BLOCK 1h");
    let c = s.waits("RATELIMIT.CHECK u c=1/1h BLOCK 1h");
    let free = s.waits("RATELIMIT.CHECK u c=1/1h b=1/1h COST b=0 BLOCK 1h");
    let place = s.waits("RATELIMIT.ACQUIRE u other MAX 1 LEASE 1h BLOCK 1h");
    // b is free, but who came second wants it together with a.
    s.ok("RATELIMIT.RESET u b");
    b.still_waits(&s);
    s.ok("RATELIMIT.RESET u c");
    assert_eq!(taken(&c.reply()), 1);
    free.still_waits(&s);
    s.ok("RATELIMIT.REFUND u c=1/1h COST 1");
    assert_eq!(taken(&free.reply()), 1);
    s.ok("RATELIMIT.RELEASE u holder");
    assert_eq!(taken(&place.reply()), 1);
    s.ok("RATELIMIT.RESET u a");
    assert_eq!(taken(&a.reply()), 1);
    both.still_waits(&s);
    s.ok("RATELIMIT.RESET u a");
    assert_eq!(taken(&both.reply()), 1);
    b.still_waits(&s);
    s.ok("RATELIMIT.REFUND u b=1/1h COST 1");
    assert_eq!(taken(&b.reply()), 1);
}

#[test]
fn policies_are_read_anew_at_each_try() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=1/1h");
    s.ok("RATELIMIT.CHECK u @p");
    let first = s.waits("RATELIMIT.CHECK u @p BLOCK 1h");
    let second = s.waits("RATELIMIT.CHECK u @p BLOCK 1h");
    s.ok("RATELIMIT.POLICY SET p a=2/1h");
    first.reply().is(list![1, 2, 0, 0, within(3_590_000..=3_600_000), "a"]);
    second.still_waits(&s);
    s.ok("RATELIMIT.POLICY DEL p");
    let gone = second.reply();
    assert!(matches!(&gone, Reply::Error(text) if text.starts_with("NOPOLICY")), "{gone:?}");
}

#[test]
fn what_can_never_pass_is_answered_at_once() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=0/1h BLOCK 1h").is(list![0, 0, 0, -1, 0]);
    s.ok("RATELIMIT.CHECK u 5/1h COST 6 BLOCK 1h BRIEF").is(-99_999_999_999_999_i64);
    s.ok("RATELIMIT.CHECK u 1/1h");
    let waits = s.waits("RATELIMIT.CHECK u 1/1h BLOCK 1h");
    // Also behind one that waits.
    s.ok("RATELIMIT.CHECK u 1/1h COST 2 BLOCK 1h").is(list![0, 1, 0, -1, within(3_590_000..=3_600_000)]);
    waits.still_waits(&s);
}

#[test]
fn when_the_time_is_over_the_answer_is_a_denial_of_now() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/1h COST 5");
    let late = s.asks("RATELIMIT.CHECK u 5/1h BLOCK 40ms");
    late.reply().is(list![0, 5, 0, within(3_590_000..=3_600_000), within(3_590_000..=3_600_000)]);
    s.asks("RATELIMIT.CHECK u 5/1h BLOCK 40ms BRIEF").reply().is(within(-3_600_000..=-3_590_000));
    s.asks("RATELIMIT.CHECK u 5/1h BLOCK 40ms DETAIL").reply().at(6).at(0).at(1).clone().is(0);
    // Who stands behind another has no grant at the end, whatever is free.
    s.ok("RATELIMIT.REFUND u 5/1h COST 2");
    let large = s.waits("RATELIMIT.CHECK u 5/1h COST 4 BLOCK 1h");
    let small = s.asks("RATELIMIT.CHECK u 5/1h BLOCK 40ms");
    small.reply().is(list![0, 5, 2, 1, within(3_590_000..=3_600_000)]);
    large.still_waits(&s);
}

#[test]
fn a_hold_begins_with_the_grant_and_a_known_one_never_waits() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/1h COST 3 HOLD first 1h");
    let w = s.waits("RATELIMIT.CHECK u 5/1h COST 4 HOLD second 1h BLOCK 1h");
    s.ok("RATELIMIT.CHECK u 5/1h COST 3 HOLD first 1h BLOCK 1h").at(0).clone().is(3);
    s.refuses("RATELIMIT.CHECK u 5/1h COST 2 HOLD first 1h BLOCK 1h", "MISMATCH");
    s.ok("RATELIMIT.SETTLE u first COST 0");
    assert_eq!(taken(&w.reply()), 4);
    s.ok("RATELIMIT.CHECK u 5/1h COST 4 HOLD second 1h BLOCK 1h").at(0).clone().is(4);
    s.ok("RATELIMIT.SETTLE u second COST 5").at(0).at(6).clone().is(5);
}

#[test]
fn upto_waits_for_one_and_takes_what_fits() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 9/1h COST 9");
    let w = s.waits("RATELIMIT.CHECK u 9/1h UPTO COST 5 BLOCK 1h");
    s.ok("RATELIMIT.REFUND u 9/1h COST 3");
    w.reply().is(list![3, 9, 0, 0, within(3_590_000..=3_600_000)]);
}

#[test]
fn a_grant_whose_client_has_gone_is_given_back_to_the_next() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 2/1h COST 2");
    let gone = s.waits("RATELIMIT.CHECK u 2/1h COST 2 BLOCK 1h");
    let next = s.waits("RATELIMIT.CHECK u 2/1h BLOCK 1h");
    let kill = format!("CLIENT KILL ID {}", gone.id);
    assert!(!s.pipeline(["RATELIMIT.RESET u", &kill]).iter().any(Reply::is_error));
    assert_eq!(taken(&next.reply()), 1);
    s.ok("RATELIMIT.PEEK u 2/1h").at(2).clone().is(1);
}

#[test]
fn in_a_unit_block_acts_as_not_given_and_those_who_wait_come_after_it() {
    let s = server!();
    for unit in Unit::ALL {
        s.ok("RATELIMIT.CHECK u 1/1h");
        unit.run(&s, &["RATELIMIT.CHECK u 1/1h BLOCK 1h"])[0].at(0).clone().is(0);
        let w = s.waits("RATELIMIT.CHECK u 1/1h BLOCK 1h");
        let replies = unit.run(&s, &["RATELIMIT.RESET u", "RATELIMIT.CHECK u 1/1h"]);
        replies[1].at(0).clone().is(1);
        w.still_waits(&s);
        unit.run(&s, &["RATELIMIT.RESET u"]);
        assert_eq!(taken(&w.reply()), 1, "{unit:?}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn malformed_calls_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 1/1h");
    let untouched = Untouched::on(&s);
    for rest in [
        "BLOCK 0s",
        "BLOCK 5",
        "BLOCK",
        "BLOCK 1s BLOCK 1s",
        "BLOCK 1s SHADOW",
        "BLOCK 1s LOCKOUT 1m",
        "BLOCK 1s COST 0",
        "BLOCK 1s COST nobody=1",
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u 1/1h {rest}"), "ERR");
    }
    untouched.refuses("u", "RATELIMIT.CHECK u @none BLOCK 1s", "NOPOLICY");
    s.ok("SET string x");
    untouched.refuses("string", "RATELIMIT.CHECK string 1/1h BLOCK 1s", "WRONGTYPE");
}
