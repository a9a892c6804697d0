//! GROUP: whose turn it is, and how many of one group are under way.

use crate::support::{Reply, Server, eventually, list, server};

fn push(s: &Server, jobs: &[(&str, &str)]) {
    for (id, options) in jobs {
        s.ok(format!("JOBQ.PUSH q p ID {id} {options}"));
    }
}

/// Ids and tokens of all that can be popped now.
fn pop(s: &Server, count: usize) -> Vec<(String, i64)> {
    let jobs = s.ok(format!("JOBQ.POP q COUNT {count} LEASE 1h"));
    jobs.items().iter().map(|job| (job.at(0).text(), job.at(1).int())).collect()
}

fn ids(jobs: &[(String, i64)]) -> Vec<&str> {
    jobs.iter().map(|(id, _)| &id[..]).collect()
}

fn blocked_by(s: &Server, id: &str) -> Option<String> {
    let why = s.ok(format!("JOBQ.GET q {id}")).field("blocked_by").clone();
    (why != Reply::Nil).then(|| why.text())
}

#[test]
fn groups_take_turns_and_jobs_without_a_group_are_one_more_participant() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_concurrency off");
    for id in ["a1", "a2", "a3"] {
        push(&s, &[(id, "GROUP a")]);
    }
    push(&s, &[("b1", "GROUP b"), ("b2", "GROUP b"), ("x", ""), ("y", ""), ("vip", "GROUP a PRIORITY -1")]);
    let jobs = pop(&s, 9);
    assert_eq!(ids(&jobs), ["vip", "x", "b1", "a1", "y", "b2", "a2", "a3"]);
    let groups = s.ok("JOBQ.GET q b1").field("group").text();
    assert_eq!(groups, "b");
}

#[test]
fn one_job_of_a_group_goes_at_a_time_and_a_retry_is_not_overtaken() {
    let s = server!();
    push(&s, &[("m1", "GROUP chat BACKOFF fixed:1ms"), ("m2", "GROUP chat"), ("other", "GROUP other")]);
    let jobs = pop(&s, 9);
    assert_eq!(ids(&jobs), ["m1", "other"]);
    assert_eq!(blocked_by(&s, "m2").as_deref(), Some("group held by m1"));
    s.ok("JOBQ.POP q").is(list![]);
    s.ok(format!("JOBQ.FAIL q m1 {} DELAY 1h", jobs[0].1));
    s.ok("JOBQ.POP q").is(list![]);
    assert_eq!(blocked_by(&s, "m2").as_deref(), Some("group held by m1"));
    s.ok("JOBQ.CANCEL q m1").is(list![1]);
    assert_eq!(blocked_by(&s, "m2"), None);
    assert_eq!(ids(&pop(&s, 9)), ["m2"]);
}

#[test]
fn a_waiter_gets_the_next_of_a_group_as_soon_as_the_one_before_has_ended() {
    let s = server!();
    push(&s, &[("m1", "GROUP chat RETRIES 0"), ("m2", "GROUP chat"), ("m3", "GROUP chat")]);
    let token = pop(&s, 1)[0].1;
    let waiter = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.ok(format!("JOBQ.FAIL q m1 {token}")).is(list!["dead", 0]);
    let job = waiter.reply();
    assert_eq!(job.at(0).at(0).text(), "m2");
    assert_eq!(job.at(0).at(7).text(), "chat");
    let waiter = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.CONFIG SET q group_concurrency 2");
    assert_eq!(waiter.reply().at(0).at(0).text(), "m3");
}

#[test]
fn the_turns_of_groups_survive_a_reload() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q group_concurrency 2");
    push(&s, &[("a1", "GROUP a"), ("b1", "GROUP b"), ("a2", "GROUP a"), ("b2", "GROUP b")]);
    assert_eq!(ids(&pop(&s, 1)), ["a1"]);
    let digest = s.ok("WORKGATE.DIGEST q");
    s.ok("DEBUG RELOAD");
    assert_eq!(s.ok("WORKGATE.DIGEST q"), digest);
    assert_eq!(ids(&pop(&s, 9)), ["b1", "a2", "b2"]);
}

#[test]
fn aging_lets_those_who_have_waited_go_before_better_priorities_that_came_later() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q aging 20ms");
    push(&s, &[("low", "PRIORITY 2")]);
    let since = s.ok("JOBQ.GET q low").field("ready_at").int();
    eventually("it has waited for three spans", || s.now() > since + 60);
    push(&s, &[("high", "PRIORITY 0")]);
    assert_eq!(ids(&pop(&s, 9)), ["low", "high"]);
}
