//! JOBQ.RESULT, LOG and the PROGRESS of EXTEND: what is known of a run and of how it ended.

use crate::support::{Untouched, cmd, list, nil, server};

#[test]
fn a_result_is_that_of_the_ack_or_the_last_error() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.RESULT q a").is(list!["ready", nil()]);
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok("JOBQ.RESULT q a").is(list!["active", nil()]);
    s.ok(format!("JOBQ.FAIL q a {t} ERROR oops DELAY 0s"));
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok("JOBQ.RESULT q a").is(list!["active", nil()]);
    s.ok(format!("JOBQ.ACK q a {t} RESULT fine"));
    s.ok("JOBQ.RESULT q a").is(list!["done", "fine"]);
    s.ok("JOBQ.PUSH q p ID b RETRIES 0");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q b {t} ERROR broken"));
    s.ok("JOBQ.RESULT q b").is(list!["dead", "broken"]);
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.RESULT q gone", "NOJOB");
    untouched.refuses("nothing", "JOBQ.RESULT nothing a", "NOJOB");
}

#[test]
fn progress_is_shown_until_there_is_news() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok("JOBQ.GET q a").field("progress").clone().is(nil());
    s.ok(format!("JOBQ.EXTEND q a {t} LEASE 1h PROGRESS 10%")).is(1);
    s.ok(format!("JOBQ.EXTEND q a {t} LEASE 1h"));
    s.ok("JOBQ.GET q a").field("progress").clone().is("10%");
    s.ok(format!("JOBQ.EXTEND q a {t} PROGRESS 90%"));
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.GET q a").field("progress").clone().is("90%");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", format!("JOBQ.EXTEND q a {t} PROGRESS 99%"), "FENCED");
    let long = vec![b'x'; 64 * 1024 + 1];
    untouched.refuses("q", cmd!["JOBQ.EXTEND", "q", "a", t, "PROGRESS", long], "TOOBIG");
}

#[test]
fn a_log_keeps_its_last_lines_through_runs_and_after_the_end() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.GET q a").field("log").clone().is(list![]);
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok(format!("JOBQ.LOG q a {t} one")).is(1);
    s.ok(format!("JOBQ.FAIL q a {t} DELAY 0s"));
    s.ok(format!("JOBQ.LOG q a {t} two")).is(2);
    let old = t;
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    let untouched = Untouched::on(&s);
    untouched.refuses("q", format!("JOBQ.LOG q a {old} late"), "FENCED");
    untouched.refuses("q", format!("JOBQ.LOG q gone {t} line"), "NOJOB");
    untouched.refuses("q", cmd!["JOBQ.LOG", "q", "a", t, vec![b'x'; 4097]], "TOOBIG");
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok(cmd!["JOBQ.LOG", "q", "a", t, b"\0\xff"]).is(3);
    s.ok("JOBQ.GET q a").field("log").clone().is(list!["one", "two", &b"\0\xff"[..]]);
    for nth in 0..150 {
        s.ok(format!("JOBQ.LOG q a {t} line-{nth}")).is((4 + nth).min(100));
    }
    s.crash_and_restart();
    let log = s.ok("JOBQ.GET q a").field("log").clone();
    assert_eq!(log.items().len(), 100);
    log.at(0).clone().is("line-50");
    log.at(99).clone().is("line-149");
}
