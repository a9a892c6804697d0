//! CANCEL, REDRIVE and PURGE.

use crate::support::{Untouched, eventually, list, server};

#[test]
fn waiting_jobs_are_removed_and_active_ones_told_to_stop() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID active");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok("JOBQ.PUSH q p ID ready");
    s.ok("JOBQ.PUSH q p ID delayed DELAY 1h");
    s.ok("JOBQ.CANCEL q ready delayed active unknown ready").is(list![1, 1, 2, 0, 0]);
    s.ok("JOBQ.GET q active").field("cancel_requested").clone().is(1);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.CANCEL q ready active").is(list![0, 2]));
    s.ok(format!("JOBQ.EXTEND q active {t}")).is(2);
    s.ok(format!("JOBQ.FAIL q active {t}")).is(list!["cancelled", 0]);
    untouched.refuses("q", format!("JOBQ.FAIL q active {t}"), "NOJOB");
    s.ok("JOBQ.STATS q").field("active").clone().is(0);
    // The id is free again.
    s.ok("JOBQ.PUSH q p ID active").at(1).clone().is("NEW");
}

#[test]
fn a_cancelled_job_whose_worker_is_lost_is_gone() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.POP q LEASE 30ms");
    s.ok("JOBQ.CANCEL q a").is(list![2]);
    eventually("its lease runs out", || matches!(s.ok("JOBQ.GET q a"), crate::support::Reply::Nil));
    s.ok("JOBQ.POP q").is(list![]);
}

#[test]
fn a_cancelled_job_may_still_be_done() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok("JOBQ.CANCEL q a");
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.CANCEL q a").is(list![0]);
}

#[test]
fn dead_jobs_are_tried_again_from_the_beginning() {
    let s = server!();
    for (id, error) in [("a", "429 slow down"), ("b", "500 oops"), ("c", "429 later")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} RETRIES 0"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(crate::support::cmd!["JOBQ.FAIL", "q", id, t, "ERROR", error]);
    }
    s.ok("JOBQ.REDRIVE q ERROR 429* LIMIT 1").is(list![1, 2]);
    let job = s.ok("JOBQ.GET q a");
    job.field("state").clone().is("ready");
    job.field("failures").clone().is(0);
    s.ok("JOBQ.REDRIVE q IDS 3 b unknown b").is(list![1, 1]);
    s.ok("JOBQ.REDRIVE q").is(list![1, 0]);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.REDRIVE q").is(list![0, 0]));
    untouched.during("missing", || s.ok("JOBQ.REDRIVE missing").is(list![0, 0]));
    s.ok("JOBQ.POP q COUNT 10").items().iter().for_each(|job| {
        job.at(3).clone().is(1);
    });
}

#[test]
fn dead_jobs_are_redriven_and_purged_by_their_kind() {
    let s = server!();
    for (id, kind) in [("a", "rate"), ("b", "http"), ("c", "rate")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} RETRIES 0"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(format!("JOBQ.FAIL q {id} {t} KIND {kind}"));
    }
    s.ok("JOBQ.REDRIVE q KIND http").is(list![1, 2]);
    s.ok("JOBQ.GET q b").field("state").clone().is("ready");
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.REDRIVE q OLDER 1h").is(list![0, 2]));
    untouched.during("q", || s.ok("JOBQ.PURGE q dead KIND http").is(list![0, 2]));
    s.ok("JOBQ.PURGE q dead KIND rate LIMIT 1").is(list![1, 1]);
    s.ok("JOBQ.GET q c").field("state").clone().is("dead");
}

#[test]
fn a_done_job_runs_again_from_its_beginning() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.EXTEND q a {t} PROGRESS half"));
    s.ok(format!("JOBQ.ACK q a {t} RESULT r"));
    s.refuses("JOBQ.REDRIVE q DONE KIND k", "ERR");
    s.refuses("JOBQ.REDRIVE q DONE ERROR e", "ERR");
    s.ok("JOBQ.REDRIVE q").is(list![0, 0]);
    s.ok("JOBQ.REDRIVE q DONE").is(list![1, 0]);
    let job = s.ok("JOBQ.GET q a");
    job.field("state").clone().is("ready");
    assert_eq!(job.field("result"), &crate::support::Reply::Nil);
    assert_eq!(s.ok("JOBQ.POP q").at(0).at(9), &crate::support::Reply::Nil);
    s.refuses(format!("JOBQ.ACK q a {t}"), "FENCED");
}

#[test]
fn old_jobs_are_purged_a_bounded_number_at_a_time() {
    let s = server!();
    s.pipeline((0..5).map(|i| format!("JOBQ.PUSH q p ID j{i}")));
    s.ok("JOBQ.PURGE q ready LIMIT 2").is(list![2, 3]);
    s.ok("JOBQ.GET q j2").field("state").clone().is("ready");
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.PURGE q ready OLDER 1h").is(list![0, 3]));
    untouched.during("q", || s.ok("JOBQ.PURGE q dead").is(list![0, 0]));
    s.ok("JOBQ.PURGE q READY").is(list![3, 0]);
    untouched.during("missing", || s.ok("JOBQ.PURGE missing done").is(list![0, 0]));
}

#[test]
fn malformed_calls_are_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    let many = vec!["x"; 1_001].join(" ");
    for command in [
        "JOBQ.CANCEL q".to_owned(),
        format!("JOBQ.CANCEL q {many}"),
        "JOBQ.REDRIVE q IDS 2 a".to_owned(),
        "JOBQ.REDRIVE q LIMIT 0".to_owned(),
        "JOBQ.REDRIVE q LIMIT 1001".to_owned(),
        "JOBQ.REDRIVE q NONSENSE".to_owned(),
        "JOBQ.PURGE q".to_owned(),
        "JOBQ.PURGE q active".to_owned(),
        "JOBQ.PURGE q nonsense".to_owned(),
        "JOBQ.PURGE q done OLDER 0s".to_owned(),
        "JOBQ.PURGE q done OLDER 60".to_owned(),
        "JOBQ.PURGE q done LIMIT 1001".to_owned(),
    ] {
        untouched.refuses("q", command, "ERR");
    }
    s.ok("SET string x");
    for command in ["JOBQ.CANCEL string a", "JOBQ.REDRIVE string", "JOBQ.PURGE string done"] {
        untouched.refuses("string", command, "WRONGTYPE");
    }
}
