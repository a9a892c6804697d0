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
    for rest in
        ["a=10/1h", "COST 1", "a=10/1h COST 0", "a=10/1h COST b=1", "a=10/1h COST 1 DETAIL", "a=10/0s COST 1"]
    {
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
