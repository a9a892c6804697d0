//! LOCKOUT, LOCK and UNLOCK.

use crate::support::{Untouched, eventually, list, server, status, text, within};

#[test]
fn a_denial_locks_the_subject_out() {
    let s = server!();
    let login = "RATELIMIT.CHECK u login=2/1h LOCKOUT 2h";
    s.ok(login);
    s.ok(login);
    let rest = || within(7_190_000..=7_200_000);
    s.ok(login).is(list![0, 0, 0, rest(), rest()]);
    // Everything is denied, nothing is taken, and the lock gets no longer.
    let untouched = Untouched::on(&s);
    for denied in [login, "RATELIMIT.CHECK u other=9/1s", "RATELIMIT.PEEK u other=9/1s"] {
        untouched.during("u", || s.ok(denied).is(list![0, 0, 0, rest(), rest()]));
    }
    s.ok("RATELIMIT.CHECK u x=9/1s BRIEF").is(within(-7_200_000..=-7_190_000));
    let rows = s.ok("RATELIMIT.PEEK u");
    rows.at(1).clone().is(list![text("@lock"), 0, 0, 0, rest(), rest(), 0, 7_200_000, text("lock")]);
    s.ok("RATELIMIT.UNLOCK u").is(1);
    s.ok("RATELIMIT.UNLOCK u").is(0);
    s.ok("RATELIMIT.CHECK u other=9/1s").at(0).clone().is(1);
    s.ok("RATELIMIT.CHECK u login=2/1h").at(0).clone().is(0);
}

#[test]
fn each_lock_is_longer_than_the_one_before() {
    let s = server!();
    let login = "RATELIMIT.CHECK u 1/1ms LOCKOUT 20ms FACTOR 100 MAX 1h COST 2";
    // A cost above the limit can never pass, and says nothing about the subject.
    s.ok(login).at(3).clone().is(-1);
    let login = "RATELIMIT.CHECK u 1/1h LOCKOUT 20ms FACTOR 100 MAX 1h";
    s.ok(login);
    s.ok(login);
    eventually("the first lock ends", || s.ok("RATELIMIT.PEEK u").items().len() == 1);
    s.ok("RATELIMIT.RESET u 1/1h").is(1);
    s.ok(login);
    // The limit itself makes the caller wait longer than the lock, and so it binds.
    s.ok(login).at(3).clone().is(within(3_590_000..=3_600_000));
    let lock = s.ok("RATELIMIT.PEEK u").at(1).clone();
    lock.is(list![text("@lock"), 0, 0, 0, within(1..=2_000), within(1..=2_000), 0, 2_000, text("lock")]);
}

#[test]
fn an_operator_locks_and_unlocks() {
    let s = server!();
    s.ok("RATELIMIT.LOCK u 1h").is(status("OK"));
    s.ok("RATELIMIT.CHECK u 9/1s").at(3).clone().is(within(3_590_000..=3_600_000));
    s.ok("RATELIMIT.ACQUIRE u h MAX 3").is(list![0, 0, 3, within(3_590_000..=3_600_000), 0]);
    s.ok("RATELIMIT.LOCK u 1m").is(status("OK"));
    s.ok("RATELIMIT.CHECK u 9/1s").at(3).clone().is(within(59_000..=60_000));
    s.ok("RATELIMIT.UNLOCK u").is(1);
    s.ok("EXISTS u").is(0);
    s.ok("RATELIMIT.UNLOCK u").is(0);
    s.ok("RATELIMIT.LOCK u 30ms").is(status("OK"));
    eventually("the lock ends and the key goes", || s.ok("EXISTS u").int() == 0);
}

#[test]
fn malformed_lock_outs_are_refused() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h");
    let untouched = Untouched::on(&s);
    for options in [
        "LOCKOUT",
        "LOCKOUT 60",
        "LOCKOUT 0s",
        "LOCKOUT 1m FACTOR 2",
        "LOCKOUT 1m MAX 1h",
        "FACTOR 2 MAX 1h",
        "FACTOR 2",
        "LOCKOUT 1h FACTOR 2 MAX 1m",
        "LOCKOUT 1m FACTOR 0 MAX 1h",
        "LOCKOUT 1m FACTOR 1001 MAX 1h",
        "LOCKOUT 1m FACTOR 1.5 MAX 1h",
        "LOCKOUT 1m LOCKOUT 1m",
    ] {
        untouched.refuses("u", format!("RATELIMIT.CHECK u 10/1h {options}"), "ERR");
    }
    for command in ["RATELIMIT.LOCK u 60", "RATELIMIT.LOCK u 0s", "RATELIMIT.LOCK u", "RATELIMIT.UNLOCK u x"]
    {
        untouched.refuses("u", command, "ERR");
    }
    s.ok("SET string x");
    untouched.refuses("string", "RATELIMIT.LOCK string 1m", "WRONGTYPE");
}

#[test]
fn a_lock_never_changes_the_length_of_a_reply() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p 9/1h");
    s.ok("RATELIMIT.POLICY SET q a=9/1h b=9/1h");
    let words = ["9/1h", "a=9/1h", "a=9/1h b=9/1h", "@p", "@q", "9/1h COST 2", "9/1h UPTO COST 99"];
    let lengths = |command: &str| -> Vec<usize> {
        let plain = words.map(|words| s.ok(format!("RATELIMIT.{command} u {words}")).items().len());
        let detail = words.map(|words| s.ok(format!("RATELIMIT.{command} u {words} DETAIL")).items().len());
        assert_eq!(detail, [7; 7]);
        plain.into()
    };
    let free = lengths("CHECK");
    assert_eq!(free, [5, 5, 6, 6, 6, 5, 5]);
    s.ok("RATELIMIT.LOCK u 1h");
    assert_eq!(lengths("CHECK"), free);
    // The lock still shows as a row.
    let rows = s.ok("RATELIMIT.CHECK u 9/1h DETAIL").at(6).clone();
    assert_eq!(rows.items().len(), 2);
    rows.at(1).at(0).clone().is("@lock");
    s.ok("RATELIMIT.CHECK u a=9/1h b=9/1h").at(5).clone().is("@lock");
    let peeked = |words: &str| s.ok(format!("RATELIMIT.PEEK u {words}")).items().len();
    assert_eq!([peeked("9/1h"), peeked("a=9/1h b=9/1h"), peeked("@p"), peeked("9/1h DETAIL")], [5, 6, 6, 7]);
    s.ok("RATELIMIT.UNLOCK u");
    assert_eq!([peeked("9/1h"), peeked("a=9/1h b=9/1h"), peeked("@p"), peeked("9/1h DETAIL")], [5, 6, 6, 7]);
}
