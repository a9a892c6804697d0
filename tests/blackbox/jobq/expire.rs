//! EXPIRE and KEEP.

use crate::support::{Reply, eventually, list, nil, server, status};

#[test]
fn a_job_that_waited_too_long_is_never_handed_out() {
    let s = server!();
    s.ok("JOBQ.PUSH q late ID a EXPIRE 20ms");
    s.ok("JOBQ.PUSH q p ID b EXPIRE 1h");
    eventually("it expires", || s.ok("JOBQ.GET q a") == Reply::Nil);
    let seen = s.ok("JOBQ.STATS q");
    seen.field("ready").clone().is(1);
    seen.field("expired").clone().is(1);
    let popped = s.ok("JOBQ.POP q COUNT 10");
    assert_eq!(popped.items().len(), 1);
    popped.at(0).at(0).clone().is("b");
    s.ok("JOBQ.STATS q").field("expired").clone().is(1);
    // Its id is free again.
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "NEW"]);
}

#[test]
fn expire_counts_from_when_a_job_is_due() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 60ms EXPIRE 10s");
    let job = s.ok("JOBQ.GET q a");
    assert_eq!(job.field("expires_ms").int(), job.field("due_ms").int() + 10_000);
    s.ok("JOBQ.PUSH q p ID b DELAY 60ms EXPIRE 1ms");
    eventually("the delay is over", || s.ok("JOBQ.GET q b") == Reply::Nil);
    s.ok("JOBQ.POP q COUNT 2").at(0).at(0).clone().is("a");
}

#[test]
fn an_active_job_does_not_expire_and_its_retry_does() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a EXPIRE 150ms");
    s.ok("JOBQ.PUSH q p ID b EXPIRE 150ms");
    let popped = s.ok("JOBQ.POP q COUNT 2 LEASE 1h");
    let expires = s.ok("JOBQ.GET q b").field("expires_ms").int();
    eventually("the time is over", || s.now() > expires);
    let tokens = [popped.at(0).at(1).int(), popped.at(1).at(1).int()];
    s.ok(format!("JOBQ.ACK q a {}", tokens[0])).is(status("OK"));
    s.ok(format!("JOBQ.FAIL q b {} ERROR late", tokens[1]));
    s.ok("JOBQ.GET q b").is(nil());
    s.ok("JOBQ.STATS q").field("expired").clone().is(1);
    s.ok("JOBQ.STATS q").field("done").clone().is(1);
}

#[test]
fn a_job_is_kept_as_long_as_it_says() {
    let s = server!();
    for (id, keep) in [("short", "0s"), ("long", "8d")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} KEEP {keep}"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(format!("JOBQ.ACK q {id} {t} RESULT r"));
    }
    s.ok("JOBQ.PUSH q p ID dead KEEP 0s RETRIES 0");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q dead {t}")).is(list!["dead", 0]);
    for id in ["short", "dead"] {
        eventually("it is gone", || s.ok(format!("JOBQ.GET q {id}")) == Reply::Nil);
        s.ok(format!("JOBQ.PUSH q p ID {id} DELAY 1h")).at(1).clone().is("NEW");
    }
    s.ok("JOBQ.GET q long").field("keep_ms").clone().is(8 * 24 * 3_600_000);
    s.ok("JOBQ.PUSH q p ID long").at(1).clone().is("DUP");
}

#[test]
fn all_jobs_of_a_batch_expire() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 3 a b c EXPIRE 5ms KEEP 1h");
    eventually("they expire", || s.ok("JOBQ.STATS q").field("expired").int() == 3);
    s.ok("JOBQ.POP q COUNT 3").is(list![]);
}
