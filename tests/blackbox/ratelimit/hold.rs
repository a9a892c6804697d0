//! HOLD and SETTLE: an estimate that is corrected by what the call has really cost.

use crate::support::{Untouched, eventually, list, server, text, within};

#[test]
fn an_estimate_is_settled_at_the_actual_cost() {
    let s = server!();
    let check = "RATELIMIT.CHECK u tokens=1000/1h day=5000/day@UTC COST 400 HOLD call-1 10m";
    s.ok(check).is(list![400, 1_000, 600, 0, 3_600_000, text("tokens")]);
    let rows = s.ok("RATELIMIT.SETTLE u call-1 COST 150");
    let used: Vec<i64> = rows.items().iter().map(|row| row.at(6).int()).collect();
    assert_eq!(used, [150, 150]);
    rows.at(0).clone().is(list![
        text("tokens"),
        1,
        1_000,
        850,
        0,
        within(3_590_000..=3_600_000),
        150,
        3_600_000,
        text("1000/1h")
    ]);
    // More than the estimate, more than there is: a debt.
    s.ok("RATELIMIT.SETTLE u call-1 COST tokens=1200").at(0).at(6).clone().is(1_200);
    s.ok("RATELIMIT.CHECK u tokens=1000/1h").at(0).clone().is(0);
    s.ok("RATELIMIT.PEEK u").at(0).at(6).clone().is(150);
}

#[test]
fn a_call_sent_again_answers_alike_and_takes_nothing() {
    let s = server!();
    let check = "RATELIMIT.CHECK u tokens=1000/1h COST 400 HOLD call-1 10m";
    s.ok(check);
    let untouched = Untouched::on(&s);
    let alike = || list![400, 1_000, 600, 0, within(3_590_000..=3_600_000)];
    untouched.during("u", || s.ok(check).is(alike()));
    s.ok("RATELIMIT.SETTLE u call-1 COST 100");
    untouched.during("u", || drop(s.ok("RATELIMIT.SETTLE u call-1 COST 100")));
    untouched.during("u", || s.ok(check).at(0).clone().is(400));
    for other in [
        "tokens=1000/1h COST 401 HOLD call-1 10m",
        "tokens=1001/1h COST 400 HOLD call-1 10m",
        "tokens=1000/1h COST 400 HOLD call-1 11m",
        "tokens=1000/1h COST 400 UPTO HOLD call-1 10m",
        "tokens=1000/1h more=1/1s COST tokens=400 HOLD call-1 10m",
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u {other}"), "MISMATCH");
    }
    // With UPTO the amount that was taken is part of the answer.
    let upto = "RATELIMIT.CHECK u tokens=1000/1h COST 2000 UPTO HOLD call-2 10m";
    s.ok(upto).at(0).clone().is(900);
    untouched.during("u", || s.ok(upto).at(0).clone().is(900));
}

#[test]
fn an_expired_hold_stands_as_it_was_charged() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u tokens=1000/1h COST 400 HOLD call-1 30ms");
    let untouched = Untouched::on(&s);
    eventually("the hold runs out", || s.call("RATELIMIT.SETTLE u call-1 COST 400").is_error());
    untouched.refuses("u", "RATELIMIT.SETTLE u call-1 COST 1", "NOHOLD");
    untouched.refuses("u", "RATELIMIT.SETTLE u other COST 1", "NOHOLD");
    untouched.refuses("missing", "RATELIMIT.SETTLE missing call-1 COST 1", "NOHOLD");
    s.ok("RATELIMIT.PEEK u").at(0).at(6).clone().is(400);
}

#[test]
fn a_denied_call_holds_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h COST 10");
    let untouched = Untouched::on(&s);
    untouched.during("u", || s.ok("RATELIMIT.CHECK u 10/1h HOLD call-1 1m").at(0).clone().is(0));
    untouched.refuses("u", "RATELIMIT.SETTLE u call-1 COST 1", "NOHOLD");
}

#[test]
fn malformed_holds_and_settlements_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u a=10/1h HOLD h 1h");
    let untouched = Untouched::on(&s);
    let long = "h".repeat(129);
    for rest in [
        "HOLD".to_owned(),
        "HOLD x".to_owned(),
        "HOLD x 60".to_owned(),
        "HOLD x 0s".to_owned(),
        format!("HOLD {long} 1m"),
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u a=10/1h {rest}"), "ERR");
    }
    for rest in
        ["h COST -1", "h COST x", "h COST 1000000000001", "h COST b=1", "h COST a=1,a=2", "h NONSENSE 1"]
    {
        untouched.refuses("u", format!("RATELIMIT.SETTLE u {rest}"), "ERR");
    }
}
