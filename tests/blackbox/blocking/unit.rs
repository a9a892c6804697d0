//! A transaction, script or function is one step also for the clients that wait: they are served by
//! the state that it leaves, right after it.

use crate::support::{Reply, Server, Snapshot, Unit, Waiter, list, server};

/// Whether the server looks at waiters of a missing key before the next command. Redis 7.0 does so
/// a moment later.
fn looks_at_missing_keys(s: &Server) -> bool {
    !s.info("redis_version").starts_with("7.0.")
}

#[track_caller]
fn popped(jobs: &Reply) -> Vec<String> {
    jobs.items().iter().map(|job| job.at(0).text()).collect()
}

#[track_caller]
fn is_active(stats: &Reply, count: i64) {
    stats.field("active").clone().is(count);
}

#[test]
fn a_job_pushed_and_popped_in_one_unit_is_the_units() {
    let s = server!();
    for unit in Unit::ALL {
        let w = s.waits("JOBQ.POP q BLOCK 1m");
        let replies = unit.run(&s, &["JOBQ.PUSH q p ID x", "JOBQ.POP q"]);
        assert_eq!(popped(&replies[1]), ["x"], "{unit:?}");
        w.still_waits(&s);
        s.ok("JOBQ.PUSH q p ID y");
        assert_eq!(popped(&w.reply()), ["y"], "{unit:?}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn nobody_gets_a_job_of_a_queue_that_the_unit_deletes() {
    let s = server!();
    for unit in Unit::ALL {
        for end in
            ["DEL q", "UNLINK q", "FLUSHALL", "FLUSHDB", "RENAME q r", "JOBQ.CANCEL q x", "JOBQ.PAUSE q"]
        {
            let w = s.waits("JOBQ.POP q BLOCK 1m");
            let (_, active) = unit.run_then(&s, &["JOBQ.PUSH q p ID x", end], "JOBQ.STATS q");
            if active != Reply::Nil {
                is_active(&active, 0);
            }
            w.still_waits(&s);
            s.ok("FLUSHALL");
            s.ok("JOBQ.PUSH q p ID y");
            assert_eq!(popped(&w.reply()), ["y"], "{unit:?} {end}");
            s.ok("FLUSHALL");
        }
    }
}

#[test]
fn who_waits_gets_the_first_of_all_that_a_unit_pushes() {
    let s = server!();
    for unit in Unit::ALL {
        let first = s.waits("JOBQ.POP q BLOCK 1m");
        let second = s.waits("JOBQ.POP q COUNT 5 BLOCK 1m");
        let pushes = [
            "JOBQ.PUSH q p ID low PRIORITY 9",
            "JOBQ.PUSH q p ID mid PRIORITY 5",
            "JOBQ.PUSH q p ID high PRIORITY 1",
        ];
        let (_, stats) = unit.run_then(&s, &pushes, "JOBQ.STATS q");
        is_active(&stats, 3);
        assert_eq!(popped(&first.reply()), ["high"], "{unit:?}");
        assert_eq!(popped(&second.reply()), ["mid", "low"], "{unit:?}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_wait_at_several_queues_takes_the_first_of_them_after_the_unit() {
    let s = server!();
    for unit in Unit::ALL {
        let w = s.waits("JOBQ.POP a ALSO 2 b c BLOCK 1m");
        let steps = ["JOBQ.PUSH b p ID in_b", "JOBQ.PUSH c p ID in_c", "JOBQ.CANCEL b in_b"];
        let (_, stats) = unit.run_then(&s, &steps, "JOBQ.STATS c");
        is_active(&stats, 1);
        assert_eq!(popped(&w.reply()), ["in_c"], "{unit:?}");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_claim_released_and_taken_in_one_unit_is_the_units() {
    let s = server!();
    for unit in Unit::ALL {
        let t = s.ok("IDEMP.CLAIM k LEASE 1h").at(2).int();
        let w = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
        let replies = unit.run(&s, &[&format!("IDEMP.RELEASE k {t}"), "IDEMP.CLAIM k LEASE 1h"]);
        replies[1].at(0).clone().is("CLAIMED");
        w.still_waits(&s);
        let t = replies[1].at(2).int();
        let (_, record) = unit.run_then(&s, &[&format!("IDEMP.RELEASE k {t}")], "IDEMP.GET k");
        record.field("attempt").clone().is(3);
        w.reply().at(0).clone().is("CLAIMED");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_result_that_the_unit_deletes_is_nobodys() {
    let s = server!();
    for unit in Unit::ALL {
        let t = s.ok("IDEMP.CLAIM k LEASE 1h").at(2).int();
        let w = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
        let behind = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
        let (_, there) = unit.run_then(&s, &[&format!("IDEMP.COMPLETE k {t} done"), "DEL k"], "EXISTS k");
        if looks_at_missing_keys(&s) {
            there.is(1);
        }
        let claimed = w.reply();
        claimed.at(0).clone().is("CLAIMED");
        claimed.at(4).clone().is(1);
        behind.still_waits(&s);
        let (t, done) = (claimed.at(2).int(), "IDEMP.GET k");
        let (_, record) = unit.run_then(&s, &[&format!("IDEMP.COMPLETE k {t} r")], done);
        record.field("state").clone().is("DONE");
        behind.reply().at(1).clone().is("r");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_cached_value_that_the_unit_deletes_is_nobodys() {
    let s = server!();
    for unit in Unit::ALL {
        for steps in [["CACHE.SET c v", "DEL c"], ["CACHE.SET c v", "CACHE.EXPIRE c"]] {
            s.ok("CACHE.GETSET c LEASE 1h");
            let w = s.waits("CACHE.GETSET c BLOCK 1m LEASE 1h");
            let behind = s.waits("CACHE.GETSET c BLOCK 1m LEASE 1h");
            let (_, there) = unit.run_then(&s, &steps, "EXISTS c");
            if looks_at_missing_keys(&s) {
                there.is(1);
            }
            w.reply().at(0).clone().is("FILL");
            behind.still_waits(&s);
            unit.run(&s, &["CACHE.SET c old", "CACHE.SET c new"]);
            let hit = behind.reply();
            hit.at(0).clone().is("HIT");
            hit.at(1).clone().is("new");
            s.ok("FLUSHALL");
        }
    }
}

#[test]
fn a_fill_given_up_and_taken_in_one_unit_is_the_units() {
    let s = server!();
    for unit in Unit::ALL {
        let t = s.ok("CACHE.GETSET c LEASE 1h").at(2).int();
        let w = s.waits("CACHE.GETSET c BLOCK 1m");
        let replies = unit.run(&s, &[&format!("CACHE.RELEASE c {t}"), "CACHE.GETSET c LEASE 1h"]);
        replies[1].at(0).clone().is("FILL");
        w.still_waits(&s);
        s.ok("FLUSHALL");
        w.reply().at(0).clone().is("FILL");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_result_is_what_the_unit_leaves_of_the_job() {
    let s = server!();
    for unit in Unit::ALL {
        for (end, deleted) in [("PING", false), ("DEL q", true), ("JOBQ.PURGE q done", true)] {
            s.ok("JOBQ.PUSH q p ID a");
            let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
            let readers = [s.waits("JOBQ.RESULT q a BLOCK 1m"), s.waits("JOBQ.RESULT q a BLOCK 1m")];
            unit.run(&s, &[&format!("JOBQ.ACK q a {t} RESULT r"), end]);
            for reader in readers {
                match reader.reply() {
                    Reply::Error(text) => {
                        assert!(deleted && text.starts_with("NOJOB"), "{unit:?} {end} {text}")
                    }
                    reply => {
                        assert!(!deleted, "{unit:?} {end} {reply:?}");
                        reply.is(list!["done", "r"]);
                    }
                }
            }
            s.ok("FLUSHALL");
        }
    }
}

#[test]
fn events_are_those_that_the_unit_leaves() {
    let s = server!();
    for unit in Unit::ALL {
        s.ok("JOBQ.PUSH q p ID first DELAY 1h");
        let since = s.ok("JOBQ.EVENTS q 0").items().last().expect("an event").at(0).int();
        let w = s.waits(format!("JOBQ.EVENTS q {since} BLOCK 1m"));
        unit.run(&s, &["JOBQ.PUSH q p ID a", "DEL q"]);
        w.still_waits(&s);
        unit.run(&s, &["JOBQ.PUSH q p ID b", "JOBQ.PUSH q p ID c", "JOBQ.POP q", "JOBQ.CANCEL q c"]);
        let events = s.ok(format!("JOBQ.EVENTS q {since}"));
        assert!(events.items().len() > 1, "{unit:?}: {events:?}");
        w.reply().is(&events);
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_place_released_and_taken_in_one_unit_is_the_units() {
    let s = server!();
    for unit in Unit::ALL {
        s.ok("RATELIMIT.ACQUIRE k one MAX 1 LEASE 1h");
        let w = s.waits("RATELIMIT.ACQUIRE k two MAX 1 LEASE 1h BLOCK 1m");
        let replies = unit.run(&s, &["RATELIMIT.RELEASE k one", "RATELIMIT.ACQUIRE k three MAX 1 LEASE 1h"]);
        replies[1].at(0).clone().is(1);
        w.still_waits(&s);
        unit.run(&s, &["RATELIMIT.RELEASE k three", "RATELIMIT.LOCK k 1h"]);
        w.still_waits(&s);
        unit.run(&s, &["RATELIMIT.UNLOCK k"]);
        w.reply().at(0).clone().is(1);
        s.ok("FLUSHALL");
    }
}

#[test]
fn keys_of_several_databases_are_served_after_a_unit() {
    let s = server!();
    for unit in [Unit::Transaction, Unit::Script] {
        let here = s.waits("JOBQ.POP q BLOCK 1m");
        s.ok("SELECT 3");
        s.ok("JOBQ.PUSH r p ID a");
        let t = s.ok("JOBQ.POP r LEASE 1h").at(0).at(1).int();
        let there = s.client();
        there.ok("SELECT 3");
        let id = there.id();
        there.send("JOBQ.RESULT r a BLOCK 1m");
        crate::support::eventually("the reader waits", || {
            s.ok(format!("CLIENT LIST ID {id}")).text().contains("flags=b")
        });
        s.ok("SELECT 0");
        let ack = format!("JOBQ.ACK r a {t}");
        let (_, stats) =
            unit.run_then(&s, &["JOBQ.PUSH q p ID b", "SELECT 3", &ack, "SELECT 0"], "JOBQ.STATS q");
        is_active(&stats, 1);
        assert_eq!(popped(&here.reply()), ["b"], "{unit:?}");
        there.read().at(0).clone().is("done");
        s.ok("FLUSHALL");
    }
}

#[test]
fn many_who_wait_are_all_served_after_one_unit() {
    let s = server!();
    for unit in Unit::ALL {
        let waiters: Vec<Waiter> = (0..30).map(|_| s.waits("JOBQ.POP q BLOCK 1m")).collect();
        let pushes: Vec<String> = (0..30).map(|i| format!("JOBQ.PUSH q p ID j{i}")).collect();
        let pushes: Vec<&str> = pushes.iter().map(String::as_str).collect();
        // A slow machine may serve the last of them by the timer.
        unit.run(&s, &pushes);
        for (i, waiter) in waiters.iter().enumerate() {
            assert_eq!(popped(&waiter.reply()), [format!("j{i}")], "{unit:?}");
        }
        s.ok("FLUSHALL");
    }
}

#[test]
fn what_is_served_after_a_unit_reaches_replica_and_aof() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    for unit in Unit::ALL {
        for i in 0..3 {
            let t = s.ok(format!("IDEMP.CLAIM {unit:?}{i} LEASE 1h")).at(2).int();
            let pop = s.waits("JOBQ.POP q LEASE 1h BLOCK 1m");
            let claim = s.waits(format!("IDEMP.CLAIM {unit:?}{i} LEASE 1h BLOCK 1m"));
            let push = format!("JOBQ.PUSH q p ID {unit:?}{i}");
            unit.run(
                &s,
                &[&push, "JOBQ.PUSH q p", &format!("IDEMP.RELEASE {unit:?}{i} {t}"), "JOBQ.POP q LEASE 1h"],
            );
            let job = pop.reply();
            claim.reply().at(0).clone().is("CLAIMED");
            let (id, token) = (job.at(0).at(0).text(), job.at(0).at(1).int());
            s.ok(format!("JOBQ.ACK q {id} {token}"));
        }
        s.in_step_with(&r);
        assert_eq!(Snapshot::of(&s), Snapshot::of(&r), "{unit:?}");
        let before = Snapshot::of(&s);
        s.crash_and_restart();
        assert_eq!(Snapshot::of(&s), before, "{unit:?}");
    }
}

#[test]
fn a_transaction_that_pauses_the_server_leaves_the_serving_for_later() {
    let s = server!();
    for pause in ["CLIENT PAUSE 200 ALL", "CLIENT PAUSE 200 WRITE"] {
        let w = s.waits("JOBQ.POP q BLOCK 1m");
        s.transaction(["JOBQ.PUSH q p ID a", pause]);
        assert_eq!(popped(&w.reply()), ["a"], "{pause}");
        s.lives();
        s.ok("FLUSHALL");
    }
}
