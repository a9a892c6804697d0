//! MPUSH, MACK and MEXTEND; MATCH and AT.

use crate::support::{Untouched, any, cmd, list, server, text};

#[test]
fn many_jobs_are_pushed_in_their_order_all_or_nothing() {
    let s = server!();
    let pushed = s.ok("JOBQ.MPUSH q 3 a b c");
    let ids: Vec<String> = pushed.items().iter().map(|job| job.at(0).text()).collect();
    assert!(pushed.items().iter().all(|job| job.at(1).text() == "NEW"));
    let popped = s.ok("JOBQ.POP q COUNT 10");
    assert_eq!(popped.items().iter().map(|job| job.at(0).text()).collect::<Vec<_>>(), ids);
    let payloads: Vec<String> = popped.items().iter().map(|job| job.at(2).text()).collect();
    assert_eq!(payloads, ["a", "b", "c"]);
    s.ok("JOBQ.MPUSH q 3 a b c IDS 3 x y x NAME n DELAY 1h").is(list![
        list![text("x"), "NEW"],
        list![text("y"), "NEW"],
        list![text("x"), "DUP"]
    ]);
    s.ok("JOBQ.GET q y").field("name").clone().is(text("n"));
    // A re-send adds nothing.
    let untouched = Untouched::on(&s);
    untouched.during("q", || {
        s.ok("JOBQ.MPUSH q 2 a b IDS 2 x y NAME n DELAY 1h").at(0).at(1).clone().is("DUP");
    });
    // One that does not match, and none is added.
    untouched.refuses("q", "JOBQ.MPUSH q 2 new other IDS 2 z y MATCH", "MISMATCH");
}

#[test]
fn an_id_with_match_must_have_the_same_payload() {
    let s = server!();
    s.ok("JOBQ.PUSH q payload ID a MATCH").at(1).clone().is("NEW");
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.PUSH q payload ID a MATCH").at(1).clone().is("DUP"));
    untouched.refuses("q", "JOBQ.PUSH q other ID a MATCH", "MISMATCH");
    untouched.during("q", || s.ok("JOBQ.PUSH q other ID a").at(1).clone().is("DUP"));
    untouched.refuses("q", "JOBQ.PUSH q other MATCH", "ERR");
}

#[test]
fn a_job_may_be_due_at_a_time() {
    let s = server!();
    let due = s.now() + 3_600_000;
    s.ok(format!("JOBQ.PUSH q p ID later AT {due}"));
    s.ok("JOBQ.GET q later").field("due_ms").clone().is(due);
    s.ok("JOBQ.PUSH q p ID past AT 1000");
    s.ok("JOBQ.GET q past").field("state").clone().is("ready");
    let untouched = Untouched::on(&s);
    for rest in ["AT -1", "AT 1h", "AT 9000000000001", "AT 1000 DELAY 1s", "DELAY 1s AT 1000"] {
        untouched.refuses("q", format!("JOBQ.PUSH q p {rest}"), "ERR");
    }
}

#[test]
fn many_jobs_are_settled_each_by_itself() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 3 a b c IDS 3 a b c");
    let popped = s.ok("JOBQ.POP q COUNT 2 LEASE 1h");
    let token = |at: usize| popped.at(at).at(1).int();
    let (a, b) = (token(0), token(1));
    s.ok(format!("JOBQ.MEXTEND q 4 a {a} b {a} gone 7 c 7 LEASE 2h")).is(list![1, -1, 0, -1]);
    s.ok("JOBQ.CANCEL q b").is(list![2]);
    s.ok(format!("JOBQ.MEXTEND q 1 b {b}")).is(list![2]);
    s.ok(format!("JOBQ.MACK q 4 a {a} b {b} a {a} gone 7")).is(list![1, 1, 1, 0]);
    s.ok("JOBQ.STATS q").field("acked").clone().is(2);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok(format!("JOBQ.MACK q 2 a {a} c 7")).is(list![1, -1]));
    untouched.during("missing", || s.ok("JOBQ.MACK missing 1 a 7").is(list![0]));
}

#[test]
fn malformed_batches_are_refused() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let untouched = Untouched::on(&s);
    for command in [
        "JOBQ.MPUSH q 0 a",
        "JOBQ.MPUSH q 1001 a",
        "JOBQ.MPUSH q 2 a",
        "JOBQ.MPUSH q x a",
        "JOBQ.MPUSH q 1 a IDS 2 x y",
        "JOBQ.MPUSH q 1 a IDS 1 #x",
        "JOBQ.MPUSH q 1 a MATCH",
        "JOBQ.MPUSH q 1 a ID x",
        "JOBQ.MACK q 1 a",
        "JOBQ.MACK q 2 a 1",
        "JOBQ.MACK q 0 a 1",
        "JOBQ.MACK q 1 a 0",
        "JOBQ.MACK q 1 a 1 RESULT r",
        "JOBQ.MEXTEND q 1 a 1 LEASE 0s",
        "JOBQ.MEXTEND q 1001 a 1",
    ] {
        untouched.refuses("q", command, "ERR");
    }
    s.ok("CONFIG SET workgate.jobq-max-payload 10");
    untouched.refuses("q", cmd!["JOBQ.MPUSH", "q", 2, "small", "far too large"], "TOOBIG");
    // Each may be as large, not all together: one call must not hold the server up.
    s.ok("CONFIG SET workgate.jobq-max-payload 8388608");
    let quarter = || vec![b'x'; 1 << 20];
    let five = cmd!["JOBQ.MPUSH", "q", 5, quarter(), quarter(), quarter(), quarter(), "x"];
    untouched.refuses("q", five, "TOOBIG");
    s.ok(cmd!["JOBQ.MPUSH", "q", 4, quarter(), quarter(), quarter(), quarter()]);
    s.ok(cmd!["JOBQ.MPUSH", "q", 1, vec![b'x'; 5 << 20]]);
    s.ok("SET string x");
    untouched.refuses("string", "JOBQ.MPUSH string 1 a", "WRONGTYPE");
    untouched.refuses("string", "JOBQ.MACK string 1 a 1", "WRONGTYPE");
}

#[test]
fn waiting_workers_get_what_a_batch_brings() {
    let s = server!();
    let first = s.waits("JOBQ.POP q BLOCK 10s");
    let second = s.waits("JOBQ.POP q BLOCK 10s COUNT 5");
    s.ok("JOBQ.MPUSH q 3 a b c");
    first.reply().at(0).at(2).clone().is(text("a"));
    let rest = second.reply();
    assert_eq!(rest.items().len(), 2);
    rest.at(1).clone().is(list![any(), any(), "c", 1, any(), "q", any(), any(), any(), any()]);
}
