//! JOBQ.POP BLOCK: which waiter is served, when, and that no waiter is forgotten.

use crate::support::{Waiter, cmd, eventually, list, server};

/// The id of the one job that the waiter got.
#[track_caller]
fn served(waiter: &Waiter) -> String {
    let jobs = waiter.reply();
    assert_eq!(jobs.items().len(), 1, "{jobs:?}");
    jobs.at(0).at(0).text()
}

#[test]
fn a_waiting_pop_gets_the_job_that_is_pushed() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "NEW"]);
    assert_eq!(served(&w), "a");
    s.ok("JOBQ.STATS q").field("active").clone().is(1);
}

#[test]
fn waiting_pops_are_served_in_the_order_of_their_coming() {
    let s = server!();
    let waiters: Vec<Waiter> = (0..10).map(|_| s.waits("JOBQ.POP q BLOCK 1m")).collect();
    for i in 0..10 {
        s.ok(format!("JOBQ.PUSH q p ID j{i}"));
    }
    for (i, waiter) in waiters.iter().enumerate() {
        assert_eq!(served(waiter), format!("j{i}"));
    }
}

#[test]
fn each_job_goes_to_one_waiter() {
    let s = server!();
    let waiters: Vec<Waiter> = (0..5).map(|_| s.waits("JOBQ.POP q BLOCK 1m")).collect();
    s.ok("JOBQ.PUSH q p ID a");
    assert_eq!(served(&waiters[0]), "a");
    for waiter in &waiters[1..] {
        waiter.still_waits(&s);
    }
    s.ok("JOBQ.STATS q").field("active").clone().is(1);
}

#[test]
fn several_jobs_of_one_transaction_reach_several_waiters() {
    let s = server!();
    let first = s.waits("JOBQ.POP q BLOCK 1m");
    let second = s.waits("JOBQ.POP q BLOCK 1m COUNT 10");
    s.transaction(["JOBQ.PUSH q p ID a", "JOBQ.PUSH q p ID b", "JOBQ.PUSH q p ID c"]);
    assert_eq!(served(&first), "a");
    let got = second.reply().items().len();
    assert!((1..=2).contains(&got));
    let stats = s.ok("JOBQ.STATS q");
    assert_eq!(stats.field("active").int() + stats.field("ready").int(), 3);
    stats.field("active").clone().is(1 + got as i64);
}

#[test]
fn a_wait_ends_with_nothing_after_its_time() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 300ms");
    w.reply().is(list![]);
    s.ok("JOBQ.PUSH q p ID a");
    // The one that gave up does not take the job.
    s.ok("JOBQ.POP q").at(0).at(0).clone().is("a");
}

#[test]
fn a_delayed_job_wakes_a_waiter_when_it_is_due() {
    let s = server!();
    let begun = s.now();
    s.ok("JOBQ.PUSH q p ID a DELAY 400ms");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(served(&w), "a");
    assert!(s.now() >= begun + 400, "never early");
}

#[test]
fn a_job_pushed_with_a_delay_later_wakes_the_waiter_too() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.PUSH q p ID late DELAY 1h");
    s.ok("JOBQ.PUSH q p ID soon DELAY 30ms");
    assert_eq!(served(&w), "soon");
}

#[test]
fn a_lost_lease_wakes_a_waiter() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.POP q LEASE 500ms");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    assert_eq!(served(&w), "a");
}

#[test]
fn a_release_and_a_retry_wake_a_waiter() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a BACKOFF fixed:30ms");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok(format!("JOBQ.RELEASE q a {t}"));
    let job = w.reply().at(0).clone();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok(format!("JOBQ.FAIL q a {}", job.at(1).int())).at(0).clone().is("delayed");
    let jobs = w.reply();
    jobs.at(0).at(3).clone().is(2);
}

#[test]
fn the_lease_begins_when_the_job_is_handed_over() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.goes_on(50);
    let pushed = s.now();
    s.ok("JOBQ.PUSH q p ID a");
    let deadline = w.reply().at(0).at(4).int();
    assert!(deadline >= pushed + 3_600_000, "{deadline} {pushed}");
}

#[test]
fn a_waiter_that_hung_up_takes_no_job() {
    let s = server!();
    let gone = s.waits("JOBQ.POP q BLOCK 1m");
    let stays = s.waits("JOBQ.POP q BLOCK 1m");
    drop(gone);
    eventually("the server has noticed", || s.info("blocked_clients") == "1");
    s.ok("JOBQ.PUSH q p ID a");
    assert_eq!(served(&stays), "a");
}

#[test]
fn a_job_handed_to_a_waiter_that_hung_up_meanwhile_goes_back() {
    let s = server!();
    for i in 0..30 {
        let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
        // The connection is closed while the server is busy with the push: whatever it notices
        // first.
        let busy = s.client();
        busy.send(cmd!["EVAL", "for i = 1, 300000 do local x = i end", 0]);
        drop(w);
        s.ok(format!("JOBQ.PUSH q p ID j{i}"));
        let _ = busy.read();
        let mut job = None;
        eventually("the job is there for another", || {
            let jobs = s.ok("JOBQ.POP q LEASE 1h");
            job = jobs.items().first().cloned();
            job.is_some()
        });
        let job = job.expect("a job");
        job.at(0).clone().is(format!("j{i}").as_str());
        job.at(3).clone().is(1);
        s.ok(format!("JOBQ.ACK q j{i} {}", job.at(1).int()));
    }
}

#[test]
fn waiters_on_many_queues_do_not_mix() {
    let s = server!();
    let a = s.waits("JOBQ.POP a BLOCK 1m");
    let b = s.waits("JOBQ.POP b BLOCK 1m");
    s.ok("JOBQ.PUSH b p ID forb");
    assert_eq!(served(&b), "forb");
    a.still_waits(&s);
    s.ok("SELECT 3");
    s.ok("JOBQ.PUSH a p ID elsewhere");
    s.ok("SELECT 0");
    a.still_waits(&s);
    s.ok("JOBQ.PUSH a p ID fora");
    assert_eq!(served(&a), "fora");
}

#[test]
fn beyond_the_cap_of_waiters_a_pop_answers_at_once() {
    let s = server!("workgate.max-waiters-per-key 2");
    let first = s.waits("JOBQ.POP q BLOCK 1m");
    let second = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.POP q BLOCK 1m").is(list![]);
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b");
    assert_eq!((served(&first), served(&second)), ("a".to_owned(), "b".to_owned()));
}

#[test]
fn a_thousand_waiters_are_all_served() {
    let s = server!();
    let waiters: Vec<crate::support::Client> = (0..1_000)
        .map(|_| {
            let client = s.client();
            client.send("JOBQ.POP q BLOCK 1m");
            client
        })
        .collect();
    eventually("all wait", || s.info("blocked_clients") == "1000");
    let pushes = s.pipeline((0..1_000).map(|i| format!("JOBQ.PUSH q p ID j{i}")));
    assert!(pushes.iter().all(|reply| !reply.is_error()));
    let mut ids: Vec<String> = waiters.iter().map(|waiter| waiter.read().at(0).at(0).text()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_000);
}
