//! UPDATE AFTER: a job that waits is made to wait for more jobs.

use crate::support::{Client, Untouched, cmd, eventually, list, server, status};

fn pop(s: &Client) -> (String, i64) {
    let popped = s.ok("JOBQ.POP q LEASE 1h");
    (popped.at(0).at(0).text(), popped.at(0).at(1).int())
}

fn ack_next(s: &Client, expected: &str) {
    let (id, t) = pop(s);
    assert_eq!(id, expected);
    s.ok(format!("JOBQ.ACK q {id} {t}"));
}

#[test]
fn a_ready_job_waits_for_what_is_added() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID all");
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 a b");
    s.ok("JOBQ.UPDATE q all AFTER 2 a b").is(status("OK"));
    let job = s.ok("JOBQ.GET q all");
    job.field("state").clone().is("blocked");
    job.field("waits_for").clone().is(list!["a", "b"]);
    job.field("waits_for_count").clone().is(2);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.UPDATE q all AFTER 1 b").is(status("OK")));
    s.ok("JOBQ.PUSH q p ID c DELAY 1h");
    s.ok("JOBQ.UPDATE q all AFTER 1 c");
    ack_next(&s, "a");
    ack_next(&s, "b");
    s.ok("JOBQ.POP q").is(list![]);
    s.ok("JOBQ.UPDATE q c NOW");
    ack_next(&s, "c");
    ack_next(&s, "all");
}

#[test]
fn what_would_close_a_circle_and_what_has_begun_is_refused() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 a b");
    s.ok("JOBQ.PUSH q p ID child AFTER 1 a");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 1 child", "ERR AFTER 'child'");
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 1 a", "ERR AFTER 'a'");
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 2 b nobody", "NOJOB");
    untouched.refuses("q", "JOBQ.UPDATE q child AFTER 1 b ONDEAD run", "ERR ONDEAD");
    untouched.refuses("q", "JOBQ.UPDATE q a ONDEAD run", "ERR ONDEAD");
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 0", "ERR");
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 1001 b", "ERR");
    let (_, t) = pop(&s);
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 1 b", "ERR the job 'a' has begun");
    s.ok(format!("JOBQ.FAIL q a {t}"));
    untouched.refuses("q", "JOBQ.UPDATE q a AFTER 1 b", "ERR the job 'a' has begun");
}

#[test]
fn a_parent_that_is_dead_or_cancelled_acts_as_ondead_says() {
    let s = server!();
    for (on_dead, of_dead, of_gone) in
        [("wait", "blocked", "dead"), ("fail", "dead", "dead"), ("run", "ready", "ready")]
    {
        for (how, expected) in [("FAIL", of_dead), ("CANCEL", of_gone)] {
            s.ok("FLUSHALL");
            s.ok("JOBQ.PUSH q p ID parent");
            s.ok("JOBQ.PUSH q p ID child DELAY 1ms");
            s.ok(format!("JOBQ.UPDATE q child AFTER 1 parent ONDEAD {on_dead}"));
            s.goes_on(3);
            if how == "FAIL" {
                let (_, t) = pop(&s);
                s.ok(format!("JOBQ.FAIL q parent {t} DEAD"));
            } else {
                s.ok("JOBQ.CANCEL q parent");
            }
            s.ok("JOBQ.GET q child").field("state").clone().is(expected);
        }
    }
    s.ok("FLUSHALL");
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 parent child");
    let (_, t) = pop(&s);
    s.ok(format!("JOBQ.FAIL q parent {t} DEAD"));
    s.ok("JOBQ.UPDATE q child AFTER 1 parent ONDEAD fail");
    s.ok("JOBQ.GET q child").field("error").clone().is("the job 'parent' that it waited for is dead");
}

#[test]
fn a_job_waits_for_ten_thousand_others() {
    let s = server!();
    let ids: Vec<String> = (0..10_001).map(|nth| format!("part-{nth}")).collect();
    for ids in ids.chunks(1_000) {
        let payloads = vec!["p"; ids.len()].join(" ");
        s.ok(format!("JOBQ.MPUSH q {} {payloads} IDS {} {}", ids.len(), ids.len(), ids.join(" ")));
    }
    s.ok("JOBQ.PUSH q p ID all PRIORITY 1");
    for ids in ids[..10_000].chunks(1_000) {
        s.ok(format!("JOBQ.UPDATE q all AFTER 1000 {}", ids.join(" ")));
    }
    let untouched = Untouched::on(&s);
    untouched.refuses(
        "q",
        "JOBQ.UPDATE q all AFTER 1 part-10000",
        "ERR AFTER: a job waits for at most 10000",
    );
    let job = s.ok("JOBQ.GET q all");
    assert_eq!((job.field("waits_for_count").int(), job.field("waits_for").items().len()), (10_000, 1_000));
    let replica = s.replica(&[]);
    s.ok("DEBUG RELOAD");
    s.ok("JOBQ.GET q all").field("waits_for_count").clone().is(10_000);
    for _ in 0..11 {
        let jobs = s.ok("JOBQ.POP q COUNT 1000 LEASE 1h");
        let held: Vec<String> =
            jobs.items().iter().map(|job| format!("{} {}", job.at(0).text(), job.at(1).int())).collect();
        s.ok(format!("JOBQ.MACK q {} {}", held.len(), held.join(" ")));
    }
    // The last POP took it behind the last part.
    s.ok("JOBQ.GET q all").field("state").clone().is("done");
    s.in_step_with(&replica);
    let digest = |of: &Client| of.ok("WORKGATE.DIGEST").text();
    assert_eq!(digest(&s), digest(&replica));
}

#[test]
fn a_thousand_jobs_that_wait_for_thousands_go_with_their_parent() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID parent");
    let ids: Vec<String> = (0..1_000).map(|nth| format!("part-{nth}")).collect();
    let (payloads, list) = (vec!["p"; 1_000].join(" "), ids.join(" "));
    s.ok(format!("JOBQ.MPUSH q 1000 {payloads} IDS 1000 {list} DELAY 1h"));
    for nth in 0..100 {
        s.ok(cmd![
            "JOBQ.PUSH",
            "q",
            "p",
            "ID",
            format!("child-{nth}"),
            "AFTER",
            "1",
            "parent",
            "ONDEAD",
            "fail"
        ]);
        s.ok(format!("JOBQ.UPDATE q child-{nth} AFTER 1000 {list}"));
    }
    s.ok("JOBQ.CANCEL q parent").is(list![1]);
    for child in ["child-0", "child-99"] {
        s.ok(format!("JOBQ.GET q {child}"))
            .field("error")
            .clone()
            .is("the job 'parent' that it waited for is gone");
    }
    s.ok("JOBQ.STATS q").field("dead").clone().is(100);
    let edges = s.ok("MEMORY USAGE q").int();
    // They go step by step, a bounded number with each write.
    eventually("the edges are gone", || {
        s.ok("JOBQ.UPDATE q part-0 PRIORITY 1");
        s.ok("JOBQ.UPDATE q part-0 PRIORITY 2");
        s.ok("MEMORY USAGE q").int() < edges - 2_000_000
    });
}
