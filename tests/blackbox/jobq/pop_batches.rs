//! LINGER and GROUPED: a POP that waits for many jobs, and one whose jobs are all of one group.

use crate::support::{Client, Reply, Server, Waiter, eventually, list, server};

fn ids(jobs: &Reply) -> Vec<String> {
    jobs.items().iter().map(|job| job.at(0).text()).collect()
}

fn push(s: &Client, ids: &[&str], options: &str) {
    for id in ids {
        s.ok(format!("JOBQ.PUSH q p ID {id} {options}"));
    }
}

fn states(s: &Server) -> (i64, i64) {
    let stats = s.ok("JOBQ.STATS q");
    (stats.field("ready").int(), stats.field("active").int())
}

#[test]
fn a_lingering_pop_waits_until_there_are_as_many_jobs_as_it_wants() {
    let s = server!();
    let w = s.waits("JOBQ.POP q COUNT 3 LINGER 1h BLOCK 2h");
    push(&s, &["a", "b"], "");
    w.still_waits(&s);
    assert_eq!(states(&s), (2, 0));
    push(&s, &["c"], "");
    assert_eq!(ids(&w.reply()), ["a", "b", "c"]);
    assert_eq!(states(&s), (0, 3));
}

#[test]
fn a_lingering_pop_takes_fewer_when_the_oldest_job_has_waited_for_long_enough() {
    let s = server!();
    let pushed = s.now();
    push(&s, &["young"], "PRIORITY 1 DELAY 200ms");
    push(&s, &["old"], "PRIORITY 5");
    let w = s.waits("JOBQ.POP q COUNT 32 LINGER 500ms BLOCK 1m");
    assert_eq!(ids(&w.reply()), ["young", "old"]);
    assert!(s.now() >= pushed + 500, "never early");
    // What has waited already is not waited for again.
    push(&s, &["x"], "");
    eventually("it is old enough", || s.ok("JOBQ.POP q COUNT 2 LINGER 50ms BLOCK 1ms").items().len() == 1);
}

#[test]
fn jobs_that_are_lingered_for_stay_common() {
    let s = server!();
    let lingering = s.waits("JOBQ.POP q COUNT 2 LINGER 1h BLOCK 2h");
    push(&s, &["a"], "");
    lingering.still_waits(&s);
    assert_eq!(ids(&s.ok("JOBQ.POP q")), ["a"]);
    // One that takes what comes is not held back by one that wants more, although it came later.
    let plain = s.waits("JOBQ.POP q BLOCK 1m");
    push(&s, &["b"], "");
    assert_eq!(ids(&plain.reply()), ["b"]);
    // Nor is one that wants less than the first.
    let smaller = s.waits("JOBQ.POP q COUNT 9 LINGER 1ms BLOCK 1m");
    push(&s, &["c"], "");
    assert_eq!(ids(&smaller.reply()), ["c"]);
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 d e");
    assert_eq!(ids(&lingering.reply()), ["d", "e"]);
}

#[test]
fn those_who_linger_for_the_same_are_served_in_the_order_of_their_coming() {
    let s = server!();
    let waiters: Vec<Waiter> = (0..3).map(|_| s.waits("JOBQ.POP q COUNT 2 LINGER 1h BLOCK 2h")).collect();
    s.ok("JOBQ.MPUSH q 5 p p p p p IDS 5 a b c d e");
    assert_eq!(ids(&waiters[0].reply()), ["a", "b"]);
    assert_eq!(ids(&waiters[1].reply()), ["c", "d"]);
    waiters[2].still_waits(&s);
    push(&s, &["f"], "");
    assert_eq!(ids(&waiters[2].reply()), ["e", "f"]);
}

#[test]
fn a_lingering_pop_ends_with_nothing_when_its_block_is_over() {
    let s = server!();
    push(&s, &["a"], "");
    s.ok("JOBQ.POP q COUNT 2 LINGER 1h BLOCK 100ms").is(list![]);
    assert_eq!(states(&s), (1, 0));
    // In a transaction nobody waits: it hands out what the condition allows.
    s.transaction(["JOBQ.POP q COUNT 2 LINGER 1h BLOCK 1m"])[0].clone().is(list![]);
    assert_eq!(ids(&s.transaction(["JOBQ.POP q COUNT 1 LINGER 1h BLOCK 1m"])[0]), ["a"]);
    s.refuses("JOBQ.POP q COUNT 2 LINGER 1h", "ERR LINGER goes with BLOCK");
    s.refuses("JOBQ.POP q COUNT 2 LINGER 1 BLOCK 1m", "ERR LINGER '1': write 1s or 1ms");
}

#[test]
fn a_lingering_pop_hands_out_four_mebibytes_before_its_time() {
    let s = server!();
    s.ok("CONFIG SET workgate.jobq-max-payload 3145728");
    let w = s.waits("JOBQ.POP q COUNT 1000 LINGER 1h BLOCK 2h");
    let large = "x".repeat(2_500_000);
    s.ok(format!("JOBQ.PUSH q {large} ID a"));
    w.still_waits(&s);
    s.ok(format!("JOBQ.PUSH q {large} ID b"));
    assert_eq!(ids(&w.reply()), ["a"], "as much as one answer holds");
}

#[test]
fn a_lingering_pop_is_woken_by_what_time_makes_ready() {
    let s = server!();
    push(&s, &["a", "b"], "DELAY 300ms");
    let w = s.waits("JOBQ.POP q COUNT 2 LINGER 1h BLOCK 2h");
    assert_eq!(ids(&w.reply()).len(), 2);
    // A lease that runs out brings its job back to the place that it had.
    push(&s, &["c"], "");
    s.ok("JOBQ.POP q LEASE 200ms");
    let w = s.waits("JOBQ.POP q COUNT 2 LINGER 1ms BLOCK 2h");
    assert_eq!(ids(&w.reply()), ["c"]);
}

#[test]
fn what_a_lingering_client_did_not_get_goes_back() {
    let s = server!();
    let w = s.waits("JOBQ.POP q COUNT 2 LINGER 1h BLOCK 2h");
    s.transaction(["JOBQ.MPUSH q 2 p p IDS 2 a b".to_owned(), format!("CLIENT KILL ID {}", w.id)]);
    eventually("the jobs are back", || states(&s) == (2, 0));
    let jobs = s.ok("JOBQ.POP q COUNT 9");
    assert_eq!(jobs.at(0).at(3).int(), 1, "uncharged");
}

#[test]
fn a_grouped_pop_takes_jobs_of_one_group_as_one_run_of_it() {
    let s = server!();
    push(&s, &["a1", "a2", "a3"], "GROUP a");
    push(&s, &["b1", "b2"], "GROUP b");
    push(&s, &["x", "y"], "");
    let first = s.ok("JOBQ.POP q COUNT 2 GROUPED");
    assert_eq!(ids(&first), ["x", "y"], "those without a group are one more");
    let batch = s.ok("JOBQ.POP q COUNT 2 GROUPED");
    assert_eq!(ids(&batch), ["a1", "a2"]);
    assert_eq!(ids(&s.ok("JOBQ.POP q COUNT 9 GROUPED")), ["b1", "b2"]);
    s.ok("JOBQ.POP q").is(list![]);
    // The slot of the group is free when the last of the batch has ended.
    s.ok(format!("JOBQ.ACK q a1 {}", batch.at(0).at(1).int()));
    s.ok("JOBQ.POP q").is(list![]);
    assert_eq!(s.ok("JOBQ.GET q a3").field("blocked_by").text(), "group held by a2");
    s.ok(format!("JOBQ.ACK q a2 {}", batch.at(1).at(1).int()));
    assert_eq!(ids(&s.ok("JOBQ.POP q")), ["a3"]);
}

#[test]
fn retries_of_a_batch_keep_its_slot_and_come_one_run_at_a_time() {
    let s = server!();
    push(&s, &["a1", "a2", "a3"], "GROUP a BACKOFF fixed:1ms");
    push(&s, &["a4"], "GROUP a");
    let batch = s.ok("JOBQ.POP q COUNT 3 GROUPED");
    let token = |at: usize| batch.at(at).at(1).int();
    s.ok(format!("JOBQ.FAIL q a1 {}", token(0)));
    eventually("a1 is due", || s.ok("JOBQ.GET q a1").field("state").text() == "ready");
    s.ok("JOBQ.POP q COUNT 9").is(list![]);
    assert_eq!(s.ok("JOBQ.GET q a1").field("blocked_by").text(), "group held by a2");
    s.ok(format!("JOBQ.ACK q a2 {}", token(1)));
    s.ok(format!("JOBQ.FAIL q a3 {} DELAY 1h", token(2)));
    // a3 holds on to the slot, so that a4 does not overtake it.
    assert_eq!(ids(&s.ok("JOBQ.POP q COUNT 9 GROUPED")), ["a1"]);
    s.ok("JOBQ.CANCEL q a3").is(list![1]);
    s.ok("JOBQ.POP q").is(list![]);
}

#[test]
fn a_batch_that_failed_as_a_whole_is_filled_up_with_the_next_jobs() {
    let s = server!();
    push(&s, &["a1", "a2"], "GROUP a");
    let batch = s.ok("JOBQ.POP q COUNT 2 GROUPED");
    push(&s, &["a3"], "GROUP a");
    for job in batch.items() {
        s.ok(format!("JOBQ.FAIL q {} {} DELAY 0s", job.at(0).text(), job.at(1).int()));
    }
    let again = s.ok("JOBQ.POP q COUNT 9 GROUPED");
    assert_eq!(ids(&again), ["a1", "a2", "a3"]);
    push(&s, &["a4"], "GROUP a");
    for job in again.items() {
        s.ok("JOBQ.POP q").is(list![]);
        s.ok(format!("JOBQ.ACK q {} {}", job.at(0).text(), job.at(1).int()));
    }
    assert_eq!(ids(&s.ok("JOBQ.POP q")), ["a4"]);
}

#[test]
fn grouped_and_lingering_it_takes_the_group_that_has_enough_or_has_waited_long_enough() {
    let s = server!();
    push(&s, &["a1"], "GROUP a");
    push(&s, &["b1", "b2"], "GROUP b");
    let w = s.waits("JOBQ.POP q COUNT 3 GROUPED LINGER 1h BLOCK 2h");
    push(&s, &["b3"], "GROUP b");
    assert_eq!(ids(&w.reply()), ["b1", "b2", "b3"]);
    let w = s.waits("JOBQ.POP q COUNT 3 GROUPED LINGER 300ms BLOCK 2h");
    assert_eq!(ids(&w.reply()), ["a1"]);
}

#[test]
fn a_group_that_has_enough_is_found_behind_a_thousand_that_have_not() {
    let s = server!();
    let w = s.waits("JOBQ.POP q COUNT 3 GROUPED LINGER 1h BLOCK 2h");
    for group in 0..1_000 {
        s.ok(format!("JOBQ.PUSH q p GROUP g{group}"));
    }
    push(&s, &["b1", "b2"], "GROUP b");
    w.still_waits(&s);
    push(&s, &["b3"], "GROUP b");
    assert_eq!(ids(&w.reply()), ["b1", "b2", "b3"]);
}

#[test]
fn a_lingering_pop_is_woken_when_the_rate_of_a_group_lets_its_batch_be_full() {
    for how in ["", "GROUPED"] {
        let s = server!();
        s.ok("JOBQ.CONFIG SET q group_concurrency off group_rate 2/700ms");
        push(&s, &["first"], "GROUP a");
        let started = s.now();
        s.ok("JOBQ.POP q");
        push(&s, &["a1", "a2"], "GROUP a");
        let w = s.waits(format!("JOBQ.POP q COUNT 2 {how} LINGER 1h BLOCK 2h"));
        w.still_waits(&s);
        assert_eq!(ids(&w.reply()), ["a1", "a2"], "{how}");
        assert!(s.now() >= started + 700, "never early");
    }
}

#[test]
fn of_several_queues_a_batch_comes_from_one() {
    let s = server!();
    s.ok("JOBQ.PUSH p x ID p1");
    s.ok("JOBQ.MPUSH q 2 x x IDS 2 q1 q2");
    assert_eq!(ids(&s.ok("JOBQ.POP p ALSO 1 q COUNT 9 GROUPED")), ["p1"]);
    s.ok("JOBQ.PUSH p x ID p2");
    let w = s.waits("JOBQ.POP p ALSO 1 q COUNT 3 LINGER 1h BLOCK 2h");
    w.still_waits(&s);
    s.ok("JOBQ.PUSH q x ID q3");
    assert_eq!(ids(&w.reply()), ["q1", "q2", "q3"]);
}

#[test]
fn a_batch_survives_a_reload_and_reaches_the_replica() {
    let s = server!();
    push(&s, &["a1", "a2", "a3"], "GROUP a");
    let batch = s.ok("JOBQ.POP q COUNT 2 GROUPED LEASE 1h");
    let before = s.ok("WORKGATE.DIGEST q");
    s.ok("DEBUG RELOAD");
    s.ok("WORKGATE.DIGEST q").is(before);
    s.ok(format!("JOBQ.ACK q a1 {}", batch.at(0).at(1).int()));
    s.ok("JOBQ.POP q").is(list![]);
    s.ok(format!("JOBQ.ACK q a2 {}", batch.at(1).at(1).int()));
    assert_eq!(ids(&s.ok("JOBQ.POP q")), ["a3"]);
}
