//! RATELIMIT.MCHECK: several subjects in one step.

use crate::support::{Untouched, list, server, text, within};

#[test]
fn all_subjects_are_charged_or_none() {
    let s = server!();
    let check = "RATELIMIT.MCHECK {x}user ALSO 2 {x}ip {x}api 1 u=3/1h 2 i=9/1h 7/1d 1 0/1h COST 0/1h=0";
    s.ok(check).is(list![1, 3, 2, 0, 3_600_000, "u", "{x}user"]);
    s.ok(check).is(list![1, 3, 1, 0, 3_600_000, "u", "{x}user"]);
    let denied = "RATELIMIT.MCHECK {x}user ALSO 1 {x}ip 1 u=3/1h 1 i=9/1h COST i=8";
    let untouched = Untouched::on(&s);
    let wait = || within(3_590_000..=3_600_000);
    untouched.during("{x}user", || s.ok(denied).is(list![0, 9, 7, wait(), wait(), "i", "{x}ip"]));
    untouched.during("{x}ip", || s.ok(denied).at(0).clone().is(0));
    s.ok("RATELIMIT.PEEK {x}user u=3/1h").at(2).clone().is(1);
    s.ok("RATELIMIT.PEEK {x}ip i=9/1h").at(2).clone().is(7);
    s.ok("EXISTS {x}api").is(0);
}

#[test]
fn detail_shows_the_rows_of_each_subject() {
    let s = server!();
    let row = |name: &str, limit: i64, left: i64| {
        list![text(name), 1, limit, left, 0, 60_000, 1, 60_000, text(&format!("{limit}/1m"))]
    };
    s.ok("RATELIMIT.MCHECK a ALSO 1 b 2 x=5/1m y=6/1m 1 7/1m DETAIL")
        .at(7)
        .clone()
        .is(list![list!["a", list![row("x", 5, 4), row("y", 6, 5)]], list!["b", list![row("7/1m", 7, 6)]]]);
}

#[test]
fn a_lock_of_one_subject_denies_the_call() {
    let s = server!();
    s.ok("RATELIMIT.LOCK b 1h");
    let wait = || within(3_590_000..=3_600_000);
    let call = "RATELIMIT.MCHECK a ALSO 1 b 1 5/1m 1 5/1m";
    s.ok(call).is(list![0, 0, 0, wait(), wait(), "@lock", "b"]);
    s.ok("EXISTS a").is(0);
}

#[test]
fn policies_stand_for_their_limits() {
    let s = server!();
    s.ok("RATELIMIT.POLICY SET p a=5/1m b=9/1h");
    s.ok("RATELIMIT.MCHECK u ALSO 1 v 1 @p 2 @p 3/1m COST a=2").is(list![2, 5, 3, 0, 60_000, "a", "u"]);
    assert_eq!(s.ok("RATELIMIT.PEEK v").items().len(), 3);
    s.refuses("RATELIMIT.MCHECK u ALSO 1 v 1 @p 1 @q", "NOPOLICY");
}

#[test]
fn replicas_and_restarts_see_all_of_it() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("RATELIMIT.MCHECK u ALSO 1 v 1 5/1h 2 9/1h:bucket x=3/1d:fixed COST 2");
    s.in_step_with(&r);
    let digest = s.ok("WORKGATE.DIGEST");
    assert_eq!(digest, r.ok("WORKGATE.DIGEST"));
    s.crash_and_restart();
    assert_eq!(digest, s.ok("WORKGATE.DIGEST"));
}

#[test]
fn malformed_calls_change_nothing() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 5/1h");
    s.ok("SET string x");
    let untouched = Untouched::on(&s);
    let many = (1..=9).map(|n| format!("l{n}=1/1h")).collect::<Vec<_>>().join(" ");
    for rest in [
        "u 1 v 1 5/1h 1 5/1h".to_owned(),
        "u ALSO 0 1 5/1h 1 5/1h".to_owned(),
        "u ALSO 1 u 1 5/1h 1 5/1h".to_owned(),
        "u ALSO 1 v 0 1 5/1h x=5/1h".to_owned(),
        "u ALSO 1 v 2 5/1h 1 5/1h".to_owned(),
        "u ALSO 1 v 1 5/1h 1 5/1h 6/1h".to_owned(),
        "u ALSO 1 v 1 5/1h 1 5/1h COST 0".to_owned(),
        "u ALSO 1 v 1 5/1h 1 5/1h COST x=1".to_owned(),
        "u ALSO 1 v 1 5/1h 1 5/1h BRIEF".to_owned(),
        "u ALSO 1 v 1 5/1h 1 5/1h UPTO".to_owned(),
        format!("u ALSO 1 v 9 {many} 9 {many}"),
        "u ALSO 2 v 1 5/1h 1 5/1h".to_owned(),
    ] {
        untouched.refuses("u", format!("RATELIMIT.MCHECK {rest}"), "ERR");
    }
    untouched.refuses("u", "RATELIMIT.MCHECK u ALSO 1 string 1 5/1h 1 5/1h", "WRONGTYPE");
    s.ok("EXISTS v").is(0);
}

#[test]
fn servers_find_all_of_its_keys() {
    let s = server!();
    s.ok("COMMAND GETKEYS RATELIMIT.MCHECK a ALSO 2 b c 1 5/1m 1 5/1m 1 5/1m").is(list!["a", "b", "c"]);
    s.ok("ACL SETUSER limited on nopass +@all ~a");
    let c = s.client();
    c.ok("AUTH limited any");
    c.refuses("RATELIMIT.MCHECK a ALSO 1 b 1 5/1m 1 5/1m", "NOPERM");
}
