//! A server that must not write just now: CLIENT PAUSE, FAILOVER. Nothing aborts it, nothing is
//! lost.

use crate::support::{Snapshot, eventually, server};

#[test]
fn a_pause_of_writes_holds_back_due_jobs_and_serves_them_after() {
    let s = server!();
    let replica = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID due DELAY 300ms");
    s.ok("JOBQ.PUSH q p ID leased");
    s.ok("JOBQ.POP q LEASE 300ms");
    s.ok("IDEMP.CLAIM k LEASE 300ms");
    s.ok("CACHE.GETSET c LEASE 300ms");
    let pops = [s.asks("JOBQ.POP q BLOCK 1m LEASE 1h"), s.asks("JOBQ.POP q BLOCK 1m LEASE 1h")];
    let claim = s.asks("IDEMP.CLAIM k BLOCK 1m");
    let fill = s.asks("CACHE.GETSET c BLOCK 1m");
    s.ok("CLIENT PAUSE 1200 WRITE");
    s.goes_on(500);
    s.lives();
    // Reads go on, and show what is due.
    s.ok("JOBQ.STATS q");
    let mut served: Vec<String> = pops.iter().map(|pop| pop.reply().at(0).at(0).text()).collect();
    served.sort();
    assert_eq!(served, ["due", "leased"]);
    assert_eq!(claim.reply().at(0).text(), "CLAIMED");
    assert_eq!(fill.reply().at(0).text(), "FILL");
    s.in_step_with(&replica);
    assert_eq!(Snapshot::of(&replica), Snapshot::of(&s));
    s.lives();
}

#[test]
fn clients_that_vanish_during_a_pause_leave_nothing_behind() {
    let s = server!();
    let first = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    let second = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    let kill = format!("CLIENT KILL ID {}", first.id);
    s.transaction(["JOBQ.PUSH q p ID a", "CLIENT PAUSE 200 WRITE", &kill]);
    drop(second);
    s.goes_on(50);
    s.lives();
    s.ok("CLIENT UNPAUSE");
    let mut job = None;
    eventually("the job is there for another", || {
        job = s.ok("JOBQ.POP q").items().first().cloned();
        job.is_some()
    });
    assert_eq!(job.expect("a job").at(0).text(), "a");
}

#[test]
fn a_wait_that_ends_during_a_pause_ends() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 300ms");
    s.ok("CLIENT PAUSE 1200 WRITE");
    w.reply();
    s.lives();
}

#[test]
fn an_orderly_shutdown_with_waiters_and_due_jobs_is_orderly() {
    let mut s = server!("appendonly yes");
    let replica = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.POP q LEASE 10ms");
    s.pipeline((1..200).map(|i| format!("JOBQ.PUSH q p ID j{i} DELAY {i}ms")));
    s.ok("IDEMP.CLAIM k LEASE 10ms");
    let _waiters = [s.asks("JOBQ.POP other BLOCK 1m"), s.asks("IDEMP.CLAIM k LEASE 1h BLOCK 1m")];
    s.restart();
    eventually("every job is there", || {
        s.ok("JOBQ.POP q COUNT 1000 LEASE 1ms");
        let stats = s.ok("JOBQ.STATS q");
        let count = |state: &str| stats.field(state).int();
        count("ready") + count("active") + count("delayed") + count("dead") == 200 && count("delayed") == 0
    });
    replica.lives();
    assert!(!s.log_tail().contains("ASSERTION FAILED"));
}

#[test]
fn a_failover_with_waiters_and_due_jobs_keeps_both_servers_alive() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID due DELAY 300ms");
    s.ok("JOBQ.PUSH q p ID leased");
    s.ok("JOBQ.POP q LEASE 300ms");
    s.ok("IDEMP.CLAIM k LEASE 300ms");
    let waiters = [s.asks("IDEMP.CLAIM k BLOCK 1m"), s.asks("JOBQ.POP other BLOCK 1m")];
    s.in_step_with(&r);
    s.ok("FAILOVER");
    eventually("the replica has taken over", || r.info("role") == "master");
    for waiter in &waiters {
        // Claimed before the roles changed, or told that the server is no primary any more.
        let reply = waiter.reply();
        assert!(reply.is_error() || reply.at(0).text() == "CLAIMED", "{reply:?}");
    }
    let mut served = Vec::new();
    eventually("both jobs are served by the new primary", || {
        let jobs = r.ok("JOBQ.POP q COUNT 5 LEASE 1h");
        served.extend(jobs.items().iter().map(|job| job.at(0).text()));
        served.len() == 2
    });
    served.sort();
    assert_eq!(served, ["due", "leased"]);
    r.in_step_with(&s);
    assert_eq!(Snapshot::of(&s), Snapshot::of(&r));
    s.lives();
    r.lives();
}
