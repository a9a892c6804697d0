//! UPTO, SHADOW, REFUND and RESET.

use crate::support::{Untouched, list, server, text, within};

#[test]
fn upto_takes_as_much_as_fits() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h UPTO COST 7").is(list![7, 10, 3, 0, 3_600_000]);
    s.ok("RATELIMIT.CHECK u 10/1h COST 7 UPTO").is(list![3, 10, 0, 0, 3_600_000]);
    let rest = || within(3_590_000..=3_600_000);
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.CHECK u 10/1h UPTO COST 7").is(list![0, 10, 0, rest(), rest()]));
    untouched.refuses("u", "RATELIMIT.CHECK u a=10/1h UPTO COST a=7", "ERR");
    untouched.refuses("u", "RATELIMIT.CHECK u 10/1h UPTO BRIEF", "ERR");
}

#[test]
fn a_shadow_passes_with_the_wait_it_would_have_had() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 2/1h SHADOW COST 2").is(list![2, 2, 0, 0, 3_600_000]);
    let rest = || within(3_590_000..=3_600_000);
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.CHECK u 2/1h SHADOW").is(list![1, 2, 0, rest(), rest()]));
    let locking = "RATELIMIT.CHECK u 2/1h SHADOW LOCKOUT 1h";
    untouched.during("u", || s.ok(locking).is(list![1, 2, 0, rest(), rest()]));
    untouched.refuses("u", "RATELIMIT.CHECK u 2/1h SHADOW BRIEF", "ERR");
}

#[test]
fn a_refund_gives_back_and_shows_the_rows() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=10/1h b=5/1h:bucket 7/1h:fixed COST 5");
    let rows = s.ok("RATELIMIT.REFUND u a=10/1h b=5/1h:bucket 7/1h:fixed COST a=2,7/1h:fixed=9");
    let used: Vec<i64> = rows.items().iter().map(|row| row.at(6).int()).collect();
    assert_eq!(used, [3, 5, 0]);
    rows.at(0).clone().is(list![
        text("a"),
        1,
        10,
        7,
        0,
        within(3_590_000..=3_600_000),
        3,
        3_600_000,
        text("10/1h")
    ]);
    // What is not there is not created, and a re-send gives back again.
    s.ok("RATELIMIT.REFUND u a=10/1h COST 2").at(0).at(6).clone().is(1);
    s.ok("RATELIMIT.REFUND u a=10/1h COST 2").at(0).at(6).clone().is(0);
    let untouched = Untouched::on(&s);
    untouched.during("u", || drop(s.ok("RATELIMIT.REFUND u a=10/1h c=1/1s COST 2")));
    untouched.during("v", || s.ok("RATELIMIT.REFUND v a=10/1h COST 2").at(0).at(3).clone().is(10));
    s.ok("EXISTS v").is(0);
    for rest in ["a=10/1h", "COST 1", "a=10/1h COST b=1", "a=10/1h COST 1 DETAIL", "a=10/0s COST 1"] {
        untouched.refuses("u", format!("RATELIMIT.REFUND u {rest}"), "ERR");
    }
}

#[test]
fn a_refund_of_more_limits_than_a_key_may_hold_changes_nothing() {
    let s = server!();
    for n in 1..=16 {
        s.ok(format!("RATELIMIT.CHECK u l{n}=9/1h COST 5"));
    }
    let untouched = Untouched::on(&s);
    untouched.refuses("u", "RATELIMIT.REFUND u l1=9/1h other=9/1h COST 1", "ERR");
    s.ok("RATELIMIT.REFUND u l1=9/1h COST 1").at(0).at(6).clone().is(4);
}

#[test]
fn reset_forgets_some_or_all() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=10/1h b=10/1h 10/1m COST 5");
    s.ok("RATELIMIT.RESET u a 10/60s nothing").is(2);
    s.ok("RATELIMIT.RESET u a").is(0);
    s.ok("RATELIMIT.PEEK u").at(0).at(0).clone().is(text("b"));
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.RESET u nothing").is(0));
    untouched.refuses("u", "RATELIMIT.RESET u b=10/1h", "ERR");
    untouched.refuses("u", "RATELIMIT.RESET u 10/0s", "ERR");
    s.ok("RATELIMIT.LOCK u 1h").is(crate::support::status("OK"));
    s.ok("RATELIMIT.ACQUIRE v h MAX 1");
    s.ok("RATELIMIT.RESET u").is(1);
    s.ok("RATELIMIT.RESET v").is(0);
    s.ok("EXISTS u v").is(0);
    s.ok("RATELIMIT.RESET u").is(0);
}

#[test]
fn peek_tells_the_present_of_limits_used_and_never_used() {
    let s = server!();
    s.ok("RATELIMIT.PEEK u 5/1m").is(list![1, 5, 5, 0, 0]);
    s.ok("RATELIMIT.PEEK u a=5/1m b=7/1h:bucket DETAIL").at(6).clone().is(list![
        list!["a", 1, 5, 5, 0, 0, 0, 60_000, "5/1m"],
        list!["b", 1, 7, 7, 0, 0, 0, 3_600_000, "7/1h:bucket"]
    ]);
    s.ok("RATELIMIT.PEEK u 5/1m COST 6").is(list![0, 5, 5, -1, 0]);
    s.ok("EXISTS u").is(0);
    s.ok("RATELIMIT.CHECK u 5/1h COST 5");
    let rest = || within(3_590_000..=3_600_000);
    s.ok("RATELIMIT.PEEK u 5/1h").is(list![0, 5, 0, rest(), rest()]);
    s.ok("RATELIMIT.PEEK u 5/1h COST 0").is(list![1, 5, 0, 0, rest()]);
    s.ok("RATELIMIT.PEEK u 5/1h COST 0 DETAIL").at(6).clone().is(list![list![
        "5/1h",
        1,
        5,
        0,
        0,
        rest(),
        5,
        3_600_000,
        "5/1h"
    ]]);
}

#[test]
fn a_limit_of_zero_denies_always() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 0/1d").is(list![0, 0, 0, -1, 0]);
    s.ok("RATELIMIT.CHECK u 0/1d BRIEF").is(-99_999_999_999_999i64);
    s.ok("RATELIMIT.CHECK u a=9/1m pro=0/day@UTC").is(list![0, 0, 0, -1, within(0..=86_400_000), "pro"]);
    s.ok("RATELIMIT.CHECK u 0/1h:fixed LOCKOUT 1h").at(3).clone().is(-1);
    s.ok("RATELIMIT.POLICY SET free export=0/1d");
    s.ok("RATELIMIT.CHECK u @free").is(list![0, 0, 0, -1, 0, "export"]);
    s.ok("EXISTS u").is(0);
    for limit in ["0/1d:bucket", "0/1d:burst=5", "5/1d:burst=0"] {
        s.refuses(format!("RATELIMIT.CHECK u {limit}"), "ERR");
    }
    s.refuses("JOBQ.CONFIG SET q rate 0/1s", "ERR");
}

#[test]
fn a_cost_of_zero_by_name_leaves_that_limit_alone() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u calls=9/1h tokens=5/1h COST tokens=5");
    s.ok("RATELIMIT.CHECK u calls=9/1h tokens=5/1h COST tokens=0").is(list![1, 9, 7, 0, 3_600_000, "calls"]);
    s.ok("RATELIMIT.CHECK u calls=9/1h tokens=5/1h").at(0).clone().is(0);
    s.ok("RATELIMIT.CHECK u calls=9/1h export=0/1d COST export=0").at(0).clone().is(1);
    let untouched = Untouched::on(&s);
    for cost in ["0", "calls=0,tokens=0"] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u calls=9/1h tokens=5/1h COST {cost}"), "ERR");
    }
    untouched.during("u", || s.ok("RATELIMIT.REFUND u calls=9/1h COST 0"));
    s.ok("RATELIMIT.CHECK u calls=9/1h tokens=9/1h COST tokens=0 HOLD h 1m");
    s.ok("RATELIMIT.SETTLE u h COST tokens=2").at(1).at(6).clone().is(7);
}
