//! AFTER and ONDEAD.

use crate::support::{Client, Reply, Untouched, cmd, eventually, list, nil, server};

fn pop(s: &Client) -> (String, i64) {
    let popped = s.ok("JOBQ.POP q LEASE 1h");
    (popped.at(0).at(0).text(), popped.at(0).at(1).int())
}

fn done(s: &Client, expected: &str) {
    let (id, t) = pop(s);
    assert_eq!(id, expected);
    s.ok(format!("JOBQ.ACK q {id} {t}"));
}

fn dead(s: &Client, expected: &str) {
    let (id, t) = pop(s);
    assert_eq!(id, expected);
    s.ok(format!("JOBQ.FAIL q {id} {t} DEAD"));
}

fn state(s: &Client, id: &str) -> Reply {
    s.ok(format!("JOBQ.GET q {id}")).field("state").clone()
}

#[test]
fn a_chain_runs_one_after_the_other() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b AFTER 1 a").is(list!["b", "NEW"]);
    s.ok("JOBQ.PUSH q p ID c AFTER 1 b PRIORITY -9");
    let job = s.ok("JOBQ.GET q c");
    job.field("state").clone().is("blocked");
    job.field("waits_for").clone().is(list!["b"]);
    s.ok("JOBQ.STATS q").field("blocked").clone().is(2);
    assert_eq!(s.ok("JOBQ.LIST q blocked").at(1).items().len(), 2);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.PUSH q p ID c AFTER 1 b").is(list!["c", "DUP"]));
    for id in ["a", "b", "c"] {
        done(&s, id);
    }
    s.ok("JOBQ.POP q").is(list![]);
}

#[test]
fn a_job_waits_for_all_that_it_names_and_wakes_a_worker() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 3 p p p IDS 3 a b c");
    s.ok("JOBQ.PUSH q p ID all AFTER 4 a b c b");
    done(&s, "a");
    done(&s, "b");
    let (_, t) = pop(&s);
    let w = s.waits("JOBQ.POP q BLOCK 10s");
    s.ok(format!("JOBQ.ACK q c {t}"));
    w.reply().at(0).at(0).clone().is("all");
    // One that is done already counts.
    s.ok("JOBQ.PUSH q p ID late AFTER 2 a c");
    done(&s, "late");
}

#[test]
fn all_jobs_of_a_batch_wait() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.MPUSH q 3 p p p AFTER 1 a");
    s.ok("JOBQ.STATS q").field("blocked").clone().is(3);
    done(&s, "a");
    s.ok("JOBQ.STATS q").field("ready").clone().is(3);
}

#[test]
fn delay_counts_from_the_push() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID short AFTER 1 a DELAY 1ms");
    s.ok("JOBQ.PUSH q p ID long AFTER 1 a DELAY 1h EXPIRE 1h");
    let pushed = s.now();
    eventually("the short delay is over", || s.now() > pushed + 1);
    s.ok("JOBQ.STATS q").field("blocked").clone().is(2);
    done(&s, "a");
    state(&s, "short").is("ready");
    let long = s.ok("JOBQ.GET q long");
    long.field("state").clone().is("delayed");
    assert_eq!(long.field("expires_ms").int(), long.field("due_ms").int() + 3_600_000);
}

#[test]
fn what_becomes_of_a_job_when_one_that_it_waits_for_is_dead() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 0");
    for on_dead in ["wait", "fail", "run"] {
        s.ok(format!("JOBQ.PUSH q p ID {on_dead} AFTER 1 a ONDEAD {on_dead}"));
    }
    s.ok("JOBQ.PUSH q p ID below AFTER 1 fail ONDEAD fail");
    dead(&s, "a");
    state(&s, "wait").is("blocked");
    state(&s, "run").is("ready");
    for (id, parent) in [("fail", "a"), ("below", "fail")] {
        let job = s.ok(format!("JOBQ.GET q {id}"));
        job.field("state").clone().is("dead");
        job.field("error").clone().is(&format!("the job '{parent}' that it waited for is dead")[..]);
    }
    // The same for those that come later.
    for (on_dead, expected) in [("wait", "blocked"), ("fail", "dead"), ("run", "ready")] {
        s.ok(format!("JOBQ.PUSH q p ID late-{on_dead} AFTER 1 a ONDEAD {on_dead}"));
        state(&s, &format!("late-{on_dead}")).is(expected);
    }
    // All dead ones again: in their order.
    s.ok("JOBQ.REDRIVE q").is(list![4, 0]);
    state(&s, "below").is("blocked");
    for job in s.ok("JOBQ.POP q COUNT 9").items() {
        s.ok(format!("JOBQ.ACK q {} {}", job.at(0).text(), job.at(1).int()));
    }
    for id in ["a", "run", "late-run"] {
        state(&s, id).is("done");
    }
    for id in ["wait", "fail", "late-wait", "late-fail"] {
        state(&s, id).is("ready");
    }
}

#[test]
fn a_job_that_waits_for_one_that_is_gone_dies() {
    let s = server!();
    for (id, gone) in [("a", "JOBQ.CANCEL q a"), ("b", "JOBQ.PURGE q delayed")] {
        s.ok(format!("JOBQ.PUSH q p ID {id} DELAY 1h"));
        s.ok(format!("JOBQ.PUSH q p ID wait-{id} AFTER 1 {id}"));
        s.ok(format!("JOBQ.PUSH q p ID run-{id} AFTER 1 {id} ONDEAD run"));
        s.ok(gone);
        let job = s.ok(format!("JOBQ.GET q wait-{id}"));
        job.field("state").clone().is("dead");
        job.field("error").clone().is(&format!("the job '{id}' that it waited for is gone")[..]);
        state(&s, &format!("run-{id}")).is("ready");
    }
    s.ok("JOBQ.PUSH q p ID c EXPIRE 20ms PRIORITY 9");
    s.ok("JOBQ.PUSH q p ID wait-c AFTER 1 c");
    eventually("it expires", || {
        s.ok("JOBQ.CANCEL q nobody");
        state(&s, "wait-c") == Reply::Bulk(b"dead".to_vec())
    });
}

#[test]
fn those_that_wait_for_a_replaced_job_wait_for_the_new_one() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k ONDUP replace DELAY 1h");
    s.ok("JOBQ.PUSH q p ID b AFTER 1 a");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.PUSH q p ID c UNIQUE k ONDUP replace AFTER 1 b", "ERR");
    s.ok("JOBQ.PUSH q p ID c UNIQUE k ONDUP replace").is(list!["c", "REPLACED"]);
    s.ok("JOBQ.GET q b").field("waits_for").clone().is(list!["c"]);
    s.ok("DEBUG RELOAD");
    done(&s, "c");
    done(&s, "b");
    s.ok("JOBQ.GET q a").is(nil());
}

#[test]
fn waiting_for_a_job_that_is_not_there_is_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", "JOBQ.PUSH q p ID b AFTER 2 a unknown", "NOJOB");
    untouched.refuses("q", "JOBQ.PUSH q p ID b AFTER 1 b", "NOJOB");
    untouched.refuses("q", "JOBQ.MPUSH q 2 p p AFTER 1 #zz", "NOJOB");
    untouched.refuses("new", "JOBQ.PUSH new p AFTER 1 a", "NOJOB");
    let mut many = cmd!["JOBQ.MPUSH", "q", 11];
    many.extend(vec![b"p".to_vec(); 11]);
    many.extend([b"AFTER".to_vec(), b"1000".to_vec()]);
    many.extend(vec![b"a".to_vec(); 1_000]);
    untouched.refuses("q", many, "ERR");
}
