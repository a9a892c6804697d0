//! PRIORITY and LIFO: which job is served next.

use crate::support::{Reply, Server, eventually, list, server};

/// The ids of all jobs that can be popped, in their order.
fn order(s: &Server, queue: &str) -> Vec<String> {
    s.ok(format!("JOBQ.POP {queue} COUNT 1000 LEASE 1h")).items().iter().map(|job| job.at(0).text()).collect()
}

#[test]
fn the_lowest_priority_is_served_first_over_the_whole_queue() {
    let s = server!();
    for (id, options) in [
        ("plain", ""),
        ("last", "PRIORITY 2147483647"),
        ("low", "PRIORITY 5"),
        ("first", "PRIORITY -2147483648"),
        ("vip", "PRIORITY -5"),
        ("low2", "PRIORITY 5"),
        ("plain2", "PRIORITY 0"),
    ] {
        s.ok(format!("JOBQ.PUSH q p ID {id} {options}"));
    }
    s.ok("JOBQ.GET q vip").field("priority").clone().is(-5);
    assert_eq!(order(&s, "q"), ["first", "vip", "plain", "plain2", "low", "low2", "last"]);
}

#[test]
fn a_lifo_job_stands_before_those_of_its_priority_only() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 a b");
    s.ok("JOBQ.PUSH q p ID vip PRIORITY -1");
    s.ok("JOBQ.PUSH q p ID c LIFO");
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 d e LIFO");
    s.ok("JOBQ.GET q c").field("lifo").clone().is(1);
    assert_eq!(order(&s, "q"), ["vip", "e", "d", "c", "a", "b"]);
}

#[test]
fn a_job_keeps_its_priority_through_a_retry_and_a_redrive() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID vip PRIORITY -1 RETRIES 1 BACKOFF fixed:1ms");
    s.ok("JOBQ.PUSH q p ID plain");
    let fail = || {
        let job = s.ok("JOBQ.POP q LEASE 1h");
        assert_eq!(job.at(0).at(0).text(), "vip");
        s.ok(format!("JOBQ.FAIL q vip {}", job.at(0).at(1).int()))
    };
    fail();
    eventually("the retry is due", || {
        *s.ok("JOBQ.GET q vip").field("state") == Reply::Bulk(b"ready".to_vec())
    });
    fail().is(list!["dead", 0]);
    s.ok("JOBQ.REDRIVE q").is(list![1, 0]);
    assert_eq!(order(&s, "q"), ["vip", "plain"]);
}

#[test]
fn a_released_job_returns_to_its_place() {
    let s = server!();
    s.ok("JOBQ.MPUSH q 3 p p p IDS 3 a b c LIFO");
    let job = s.ok("JOBQ.POP q LEASE 1h");
    s.ok(format!("JOBQ.RELEASE q {} {}", job.at(0).at(0).text(), job.at(0).at(1).int()));
    s.ok("JOBQ.PUSH q p ID d LIFO");
    assert_eq!(order(&s, "q"), ["d", "c", "b", "a"]);
}

#[test]
fn a_push_again_does_not_change_the_priority() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a PRIORITY 5");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.PUSH q p ID a PRIORITY -5 LIFO").is(list!["a", "DUP"]);
    assert_eq!(order(&s, "q"), ["b", "a"]);
}
