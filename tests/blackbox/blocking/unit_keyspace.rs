//! Values that a transaction, script or function moves about: the unit's own commands come first,
//! then those who wait.

use crate::support::{Reply, Server, Unit, server};

/// Ways to bring the queue `other` (with the job `a`) under the key `q`.
fn arrivals(s: &Server) -> Vec<Vec<String>> {
    let line = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("SELECT 0");
    s.ok("JOBQ.PUSH other p ID a");
    vec![
        line(&["RENAME other q"]),
        line(&["COPY other q"]),
        line(&["SELECT 1", "MOVE q 0", "SELECT 0"]),
        line(&["SWAPDB 0 1"]),
        line(&["DEL q", "RENAME other q"]),
        line(&["JOBQ.PUSH q p ID z", "RENAME other q"]),
    ]
}

#[test]
fn the_unit_that_brings_a_queue_may_take_its_job() {
    let s = server!();
    for unit in Unit::ALL {
        for at in 0..6 {
            let steps = &arrivals(&s)[at];
            let w = s.waits("JOBQ.POP q BLOCK 1m");
            let steps: Vec<&str> = steps.iter().map(String::as_str).chain(["JOBQ.POP q COUNT 9"]).collect();
            let replies = unit.run(&s, &steps);
            let jobs = replies.last().expect("the reply of POP");
            assert_eq!(jobs.items().len(), 1, "{unit:?} {steps:?} {replies:?}");
            jobs.at(0).at(0).clone().is("a");
            w.still_waits(&s);
            s.ok("JOBQ.PUSH q p ID y");
            w.reply().at(0).at(0).clone().is("y");
            s.ok("FLUSHALL");
        }
    }
}

#[test]
fn who_waits_for_what_the_unit_brings_is_served_before_the_next_command() {
    let s = server!();
    for unit in Unit::ALL {
        for at in 0..6 {
            let steps = &arrivals(&s)[at];
            let w = s.waits("JOBQ.POP q BLOCK 1m");
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            let (_, stats) = unit.run_then(&s, &steps, "JOBQ.STATS q");
            assert_eq!(stats.field("active"), &Reply::Int(1), "{unit:?} {steps:?}");
            w.reply().at(0).at(0).clone().is("a");
            s.ok("FLUSHALL");
        }
    }
}

#[test]
fn what_is_brought_and_taken_away_again_is_nobodys() {
    let s = server!();
    for unit in Unit::ALL {
        for away in [vec!["RENAME q gone"], vec!["DEL q"], vec!["FLUSHDB"], vec!["SELECT 0", "MOVE q 2"]] {
            for at in 0..6 {
                let arrival = &arrivals(&s)[at];
                let w = s.waits("JOBQ.POP q BLOCK 1m");
                let steps: Vec<&str> =
                    arrival.iter().map(String::as_str).chain(away.iter().copied()).collect();
                unit.run(&s, &steps);
                w.still_waits(&s);
                s.ok("FLUSHALL");
                s.ok("JOBQ.PUSH q p ID y");
                w.reply().at(0).at(0).clone().is("y");
                s.ok("FLUSHALL");
            }
        }
    }
}

#[test]
fn a_restored_value_is_the_units_and_then_theirs() {
    let s = server!();
    s.ok("JOBQ.PUSH other p ID a");
    s.ok("JOBQ.PUSH other p ID b");
    let dump = s.ok("DUMP other").bytes().to_vec();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("MULTI");
    s.ok(crate::support::cmd!["RESTORE", "q", 0, dump]);
    s.ok("JOBQ.POP q");
    let replies = s.ok("EXEC");
    replies.at(1).at(0).at(0).clone().is("a");
    w.reply().at(0).at(0).clone().is("b");
}

#[test]
fn a_finished_record_that_a_unit_brings_is_given_to_all() {
    let s = server!();
    for unit in Unit::ALL {
        let t = s.ok("IDEMP.CLAIM done").at(2).int();
        s.ok(format!("IDEMP.COMPLETE done {t} result"));
        s.ok("CACHE.SET full value TTL 1h");
        s.ok("IDEMP.CLAIM k LEASE 1h");
        s.ok("CACHE.GETSET c LEASE 1h");
        let claims = [s.waits("IDEMP.CLAIM k BLOCK 1m"), s.waits("IDEMP.CLAIM k BLOCK 1m")];
        let reads = [s.waits("CACHE.GETSET c BLOCK 1m"), s.waits("CACHE.GETSET c BLOCK 1m")];
        unit.run(&s, &["DEL k", "RENAME done k", "RENAME full c", "PING"]);
        claims.iter().for_each(|waiter| _ = waiter.reply().at(1).clone().is("result"));
        reads.iter().for_each(|waiter| _ = waiter.reply().at(1).clone().is("value"));
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_unit_that_flushes_promotes_the_first_alone() {
    let s = server!();
    for unit in Unit::ALL {
        for flush in ["FLUSHALL", "FLUSHDB", "DEL k", "SWAPDB 0 1", "RENAME k other"] {
            s.ok("IDEMP.CLAIM k LEASE 1h");
            let first = s.waits("IDEMP.CLAIM k LEASE 1h BLOCK 1m");
            let second = s.waits("IDEMP.CLAIM k LEASE 1h BLOCK 1m");
            unit.run(&s, &[flush]);
            first.reply().at(0).clone().is("CLAIMED");
            second.still_waits(&s);
            s.ok("FLUSHALL");
            s.ok("SELECT 1");
            s.ok("FLUSHALL");
            s.ok("SELECT 0");
        }
    }
}
