//! CONFIG, PAUSE and RESUME: how much a queue takes and hands out.

use crate::support::{Reply, Snapshot, cmd, eventually, figure, list, server, status};

#[test]
fn settings_are_shown_as_they_are_set_all_or_none() {
    let s = server!();
    let shown = s.ok("JOBQ.CONFIG GET q");
    assert_eq!(shown.field("lease").text(), "30s");
    assert_eq!(shown.field("keep_done").text(), "1d/1000000");
    assert_eq!(shown.field("group_concurrency").int(), 1);
    assert_eq!(shown.field("concurrency").text(), "off");
    s.ok("EXISTS q").is(0);
    s.ok("JOBQ.CONFIG SET q lease 5m CONCURRENCY 7 rate 10/1s:bucket").is(status("OK"));
    let shown = s.ok("JOBQ.CONFIG GET q");
    assert_eq!(shown.field("lease").text(), "5m");
    assert_eq!(shown.field("concurrency").int(), 7);
    assert_eq!(shown.field("rate").text(), "10/1s:bucket");
    for wrong in
        ["lease 10", "speed 1", "concurrency 0", "lease 1m concurrency 0", "lease 1m LEASE 2m", "lease"]
    {
        s.refuses(format!("JOBQ.CONFIG SET q {wrong}"), "ERR");
    }
    assert_eq!(s.ok("JOBQ.CONFIG GET q"), shown);
    let offset = s.info("rdb_changes_since_last_save");
    s.ok("JOBQ.CONFIG SET q lease 5m").is(status("OK"));
    assert_eq!(s.info("rdb_changes_since_last_save"), offset, "what is set already is not replicated");
}

#[test]
fn concurrency_bounds_what_is_active_and_a_waiter_goes_on_when_one_has_ended() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q concurrency 2");
    s.ok("JOBQ.MPUSH q 3 p p p IDS 3 a b c");
    let jobs = s.ok("JOBQ.POP q COUNT 10 LEASE 1h");
    assert_eq!(jobs.items().len(), 2);
    assert_eq!(s.ok("JOBQ.GET q c").field("blocked_by").text(), "concurrency 2");
    let waiter = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok(format!("JOBQ.ACK q a {}", jobs.at(0).at(1).int()));
    assert_eq!(waiter.reply().at(0).at(0).text(), "c");
}

#[test]
fn a_rate_bounds_how_many_are_begun_in_a_time_and_waiters_go_on_by_themselves() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q rate 2/300ms");
    s.ok("JOBQ.MPUSH q 3 p p p IDS 3 a b c");
    assert_eq!(s.ok("JOBQ.POP q COUNT 10 LEASE 1h").items().len(), 2);
    let began = s.now();
    let why = s.ok("JOBQ.GET q c").field("blocked_by").text();
    assert!(why.starts_with("rate until "), "{why}");
    let waiter = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(waiter.reply().at(0).at(0).text(), "c");
    assert!(s.now() >= began + 200, "not before its time");
}

#[test]
fn a_used_up_rate_is_cleared_by_turning_it_off() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("JOBQ.CONFIG SET q rate 1/1h");
    s.ok("JOBQ.MPUSH q 4 p p p p IDS 4 a b c d");
    assert_eq!(s.ok("JOBQ.POP q COUNT 10 LEASE 1h").items().len(), 1);
    // Another rate takes the starts over.
    s.ok("JOBQ.CONFIG SET q rate 2/1h");
    assert_eq!(s.ok("JOBQ.POP q COUNT 10 LEASE 1h").items().len(), 1);
    let waiter = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.transaction(["JOBQ.CONFIG SET q rate off", "JOBQ.CONFIG SET q rate 1/1h"]);
    waiter.reply().at(0).at(0).clone().is("c");
    s.ok("JOBQ.POP q").is(list![]);
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&r));
}

#[test]
fn a_paused_queue_hands_out_nothing_until_it_is_resumed_or_the_time_is_over() {
    let s = server!();
    s.ok("JOBQ.PAUSE q").is(status("OK"));
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "NEW"]);
    s.ok("JOBQ.POP q").is(list![]);
    assert_eq!(s.ok("JOBQ.GET q a").field("blocked_by").text(), "paused");
    s.ok("JOBQ.STATS q").field("paused").clone().is("pops");
    let waiter = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.ok("JOBQ.RESUME q").is(status("OK"));
    assert_eq!(waiter.reply().at(0).at(0).text(), "a");
    s.ok("JOBQ.RESUME q").is(status("OK"));
    s.ok("JOBQ.STATS q").field("paused").clone().is("no");
    s.ok("JOBQ.PAUSE q FOR 200ms");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.POP q").is(list![]);
    let waiter = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(waiter.reply().at(0).at(0).text(), "b");
}

#[test]
fn a_queue_that_is_closed_to_pushes_still_knows_ids() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PAUSE q FOR 1h PUSHES");
    s.refuses("JOBQ.PUSH q p ID b", "PAUSED");
    s.refuses("JOBQ.MPUSH q 1 p", "PAUSED");
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
    s.refuses("JOBQ.PAUSE q FOR 1", "ERR");
    s.refuses("JOBQ.PAUSE q POPS", "ERR");
    s.ok("JOBQ.RESUME q");
    s.ok("JOBQ.PUSH q p ID b").is(list!["b", "NEW"]);
}

#[test]
fn a_full_queue_refuses_what_would_make_it_longer_all_or_nothing() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q max_length 2 max_payload 3");
    s.ok("JOBQ.PUSH q p ID a DELAY 1h");
    s.refuses("JOBQ.MPUSH q 2 p p", "FULL");
    s.refuses("JOBQ.PUSH q long", "TOOBIG");
    s.ok("JOBQ.PUSH q p ID b").is(list!["b", "NEW"]);
    s.refuses("JOBQ.PUSH q p ID c", "FULL");
    s.ok("JOBQ.PUSH q p ID b").is(list!["b", "DUP"]);
    s.ok("JOBQ.POP q LEASE 1h");
    s.ok("JOBQ.PUSH q p ID c").is(list!["c", "NEW"]);
}

#[test]
fn the_settings_of_a_queue_are_those_of_its_jobs_and_pops_that_say_nothing() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q retries 1 backoff fixed:1ms stall_max 0 keep_done 1d/1 lease 1h");
    s.ok("JOBQ.MPUSH q 3 p p p IDS 3 a b c");
    let job = s.ok("JOBQ.POP q");
    assert!(job.at(0).at(4).int() > s.now() + 3_000_000, "the lease of the queue");
    let failed = s.ok(format!("JOBQ.FAIL q a {}", job.at(0).at(1).int()));
    failed.at(0).clone().is("delayed");
    eventually("the retry", || s.ok("JOBQ.GET q a").field("state").text() == "ready");
    for id in ["b", "c"] {
        let job = s.ok("JOBQ.POP q");
        s.ok(format!("JOBQ.ACK q {id} {}", job.at(0).at(1).int()));
    }
    let job = s.ok("JOBQ.POP q LEASE 1ms");
    assert_eq!(job.at(0).at(3).int(), 2);
    eventually("dead by its first stall", || s.ok("JOBQ.GET q a").field("state").text() == "dead");
    assert!(s.ok("JOBQ.GET q b") == Reply::Nil);
}

#[test]
fn every_policy_of_eviction_is_told_of_and_what_may_be_evicted_is_not_added_to() {
    let s = server!("maxmemory 10gb", "maxmemory-policy noeviction");
    s.ok("JOBQ.PUSH q p ID a");
    let warnings = |of: &str| s.log_tail().matches(of).count();
    let (queues, claims) = ("and queues with all of their jobs", "may drop claims, results and marks");
    let mut known = 0;
    for (prefix, drops_queues) in [("volatile", false), ("allkeys", true)] {
        for order in ["lru", "lfu", "random", "ttl", "lrm"] {
            s.ok("CONFIG SET maxmemory-policy noeviction");
            let before = (warnings(queues), warnings(claims));
            let policy = format!("{prefix}-{order}");
            if s.call(format!("CONFIG SET maxmemory-policy {policy}")).is_error() {
                continue;
            }
            known += 1;
            assert_eq!(s.info("workgate_eviction_may_drop_claims"), "1", "{policy}");
            assert_eq!(
                s.info("workgate_eviction_may_drop_queues"),
                u8::from(drops_queues).to_string(),
                "{policy}"
            );
            // The log's tail is of sixty lines: both are within it.
            eventually("the log says so", || {
                (warnings(queues), warnings(claims)) == (before.0 + usize::from(drops_queues), before.1 + 1)
            });
            let push = s.call(format!("JOBQ.PUSH q p ID {policy}"));
            let run = s.call(cmd!["JOBQ.CRON", "SET", "q", &policy, "@yearly", "p"]);
            for reply in [push, run] {
                assert_eq!(reply.is_error(), drops_queues, "{policy}: {reply:?}");
            }
            s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
        }
    }
    assert!(known >= 7, "{known} policies");
    figure(format!(
        "{known} policies: each is warned of and shown by INFO, and where queues may go nothing is added"
    ));
}

#[test]
fn pushes_are_refused_where_the_server_may_evict_the_queue() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("CONFIG SET maxmemory-policy allkeys-lru");
    s.ok("JOBQ.PUSH q p ID b").is(list!["b", "NEW"]);
    s.ok("CONFIG SET maxmemory 10gb");
    s.refuses("JOBQ.PUSH q p ID c", "ERR");
    s.refuses("JOBQ.MPUSH q 1 p", "ERR");
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
    s.ok("CONFIG SET maxmemory-policy volatile-lru");
    s.ok("JOBQ.PUSH q p ID c").is(list!["c", "NEW"]);
    s.ok("CONFIG SET maxmemory-policy allkeys-random");
    s.ok("CONFIG SET workgate.allow-eviction yes");
    s.ok("JOBQ.PUSH q p ID d").is(list!["d", "NEW"]);
}
