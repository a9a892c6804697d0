//! BREAKER's quorum: how many instances must have seen failures before they open it.

use crate::support::{Snapshot, list, server, status};

#[test]
fn one_instance_alone_opens_nothing() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api quorum 3 min_calls 1").is(status("OK"));
    s.ok("BREAKER.REPORT api FAIL 50 BY web-1").is(list!["closed", 0, 100, 50]);
    s.ok("BREAKER.REPORT api FAIL 50 BY web-1").is(list!["closed", 0, 100, 100]);
    s.ok("BREAKER.REPORT api FAIL 1").is(list!["closed", 0, 100, 101]);
    s.ok("BREAKER.REPORT api FAIL 1").is(list!["closed", 0, 100, 102]);
    let view = s.ok("BREAKER.GET api");
    view.field("failing_instances").clone().is(2);
    s.ok("BREAKER.REPORT api OK 1 BY web-2").is(list!["closed", 0, 99, 103]);
    s.ok("BREAKER.REPORT api FAIL 1 BY web-2").is(list!["open", 1, 99, 104]);
}

#[test]
fn a_probe_that_fails_opens_it_again_alone() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api quorum 2 min_calls 1 open 1ms");
    s.ok("BREAKER.REPORT api FAIL 1 BY a");
    s.ok("BREAKER.REPORT api FAIL 1 BY b").at(0).clone().is("open");
    s.goes_on(5);
    let permit = s.ok("BREAKER.ALLOW api").at(2).int();
    s.ok(format!("BREAKER.REPORT api FAIL 1 BY a PERMIT {permit}")).at(0).clone().is("open");
    s.goes_on(5);
    let permit = s.ok("BREAKER.ALLOW api").at(2).int();
    s.ok(format!("BREAKER.REPORT api OK 1 BY a PERMIT {permit}")).at(0).clone().is("closed");
    s.ok("BREAKER.REPORT api FAIL 1 BY b").at(0).clone().is("closed");
}

#[test]
fn without_a_quorum_the_instance_makes_no_difference() {
    let s = server!();
    s.ok("BREAKER.CONFIG SET api min_calls 2");
    s.ok("BREAKER.REPORT api FAIL 1 BY a").at(0).clone().is("closed");
    s.ok("BREAKER.REPORT api FAIL 1 BY a").at(0).clone().is("open");
    s.ok("BREAKER.GET api").field("failing_instances").clone().is(0);
}

#[test]
fn names_and_quorums_have_their_ranges() {
    let s = server!();
    s.refuses("BREAKER.CONFIG SET api quorum 0", "ERR quorum '0'");
    s.refuses("BREAKER.CONFIG SET api quorum 101", "ERR quorum '101'");
    s.refuses(format!("BREAKER.REPORT api FAIL 1 BY {}", "x".repeat(129)), "ERR BY must be 1 to 128 bytes");
    s.refuses("BREAKER.REPORT api FAIL 1 BY", "ERR BY is missing");
    s.ok("BREAKER.CONFIG GET api").field("quorum").clone().is(1);
}

#[test]
fn instances_are_saved_and_replicated() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("BREAKER.CONFIG SET api quorum 3 min_calls 1");
    s.ok("BREAKER.REPORT api FAIL 1 BY a");
    s.ok("BREAKER.REPORT api FAIL 1 SLOW 1 BY b");
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    r.ok("BREAKER.GET api").field("slow_instances").clone().is(1);
    drop(r);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
    s.ok("BREAKER.REPORT api FAIL 1 BY c").at(0).clone().is("open");
}
