//! Waiters for news of one job beside waiters for their turn, on the same key. What the news say is
//! in `jobq_result_wait`.

use crate::support::{Client, Reply, Server, eventually, list, nil, server};

/// How often the module tried to serve a waiter.
fn attempts(s: &Server) -> i64 {
    s.ok("WORKGATE.TEST ATTEMPTS").int()
}

#[track_caller]
fn is_gone(reply: &Reply) {
    assert!(matches!(reply, Reply::Error(text) if text.starts_with("NOJOB")), "{reply:?}");
}

/// A queue with a delayed job for each of `others`, and one active job `a`; its token.
fn queue(s: &Server, others: usize) -> i64 {
    let pushes = (0..others).map(|i| format!("JOBQ.PUSH q p ID o{i} DELAY 1h"));
    assert!(s.pipeline(pushes).iter().all(|reply| !reply.is_error()));
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int()
}

#[test]
fn all_who_wait_for_a_job_hear_of_its_end_and_nobody_else_does() {
    let s = server!();
    let t = queue(&s, 1);
    let mine: Vec<_> = (0..5).map(|_| s.waits("JOBQ.RESULT q a BLOCK 1m")).collect();
    let other = s.waits("JOBQ.RESULT q o0 BLOCK 1m");
    s.ok(format!("JOBQ.EXTEND q a {t}"));
    mine[0].still_waits(&s);
    s.ok(format!("JOBQ.ACK q a {t}"));
    mine.iter().for_each(|waiter| _ = waiter.reply().is(list!["done", nil()]));
    other.still_waits(&s);
    s.ok("JOBQ.CANCEL q o0");
    is_gone(&other.reply());
}

#[test]
fn a_pop_that_gets_nothing_holds_no_reader_back_and_a_reader_no_pop() {
    let s = server!();
    let t = queue(&s, 1);
    let pop = s.waits("JOBQ.POP q BLOCK 1m");
    let look = s.waits("JOBQ.RESULT q a BLOCK 1m");
    let last = s.waits("JOBQ.RESULT q o0 BLOCK 1m");
    s.ok(format!("JOBQ.ACK q a {t}"));
    look.reply().is(list!["done", nil()]);
    pop.still_waits(&s);
    s.ok("JOBQ.PUSH q p ID b");
    pop.reply().at(0).at(0).clone().is("b");
    last.still_waits(&s);
}

#[test]
fn the_end_of_one_job_costs_nothing_for_those_who_wait_for_others() {
    let s = server!("workgate.max-waiters-per-key 3000");
    let count = 2_000;
    let t = queue(&s, count);
    let others: Vec<Client> = (0..count)
        .map(|i| {
            let client = s.client();
            client.send(format!("JOBQ.RESULT q o{i} BLOCK 1m"));
            client
        })
        .collect();
    let mine = s.waits("JOBQ.RESULT q a BLOCK 1m");
    eventually("all wait", || s.info("blocked_clients") == format!("{}", count + 1));
    let before = attempts(&s);
    for i in 0..100 {
        s.ok(format!("JOBQ.PUSH q p ID b{i} PRIORITY -1"));
        let t = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(format!("JOBQ.ACK q b{i} {t}"));
    }
    assert_eq!(attempts(&s), before, "300 commands, and nobody's job has ended");
    s.ok(format!("JOBQ.ACK q a {t}"));
    mine.reply().is(list!["done", nil()]);
    assert_eq!(attempts(&s), before + 1);
    drop(others);
}

#[test]
fn another_queue_in_the_place_of_one_with_many_readers_costs_each_of_them_one_look() {
    let s = server!("workgate.max-waiters-per-key 5000");
    let count = 4_000;
    queue(&s, count);
    let readers: Vec<Client> = (0..count)
        .map(|i| {
            let client = s.client();
            client.send(format!("JOBQ.RESULT q o{i} BLOCK 1m"));
            client
        })
        .collect();
    eventually("all wait", || s.info("blocked_clients") == count.to_string());
    s.ok("JOBQ.PUSH another p ID b");
    let before = attempts(&s);
    s.ok("RENAME another q");
    readers.iter().for_each(|reader| is_gone(&reader.read()));
    assert_eq!(attempts(&s), before + count as i64);
}

#[test]
fn many_readers_of_one_job_are_all_answered_though_not_in_one_stretch() {
    let s = server!();
    let t = queue(&s, 0);
    let readers: Vec<Client> = (0..1_500)
        .map(|_| {
            let client = s.client();
            client.send("JOBQ.RESULT q a BLOCK 1m");
            client
        })
        .collect();
    eventually("all wait", || s.info("blocked_clients") == "1500");
    s.ok(format!("JOBQ.FAIL q a {t} DEAD"));
    readers.iter().for_each(|reader| _ = reader.read().is(list!["dead", nil()]));
    eventually("nobody is left", || s.info("blocked_clients") == "0");
}

#[test]
fn a_lease_that_runs_out_for_the_last_time_is_news_though_nobody_touches_the_queue() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    for _ in 0..3 {
        s.ok("JOBQ.POP q LEASE 1ms");
        s.goes_on(3);
    }
    s.ok("JOBQ.POP q LEASE 300ms");
    let w = s.waits("JOBQ.RESULT q a BLOCK 1m");
    w.reply().at(0).clone().is("dead");
}

#[test]
fn readers_hear_that_the_queue_is_gone_whatever_took_it() {
    let s = server!();
    for take in ["DEL q", "UNLINK q", "RENAME q elsewhere", "FLUSHDB", "FLUSHALL", "SWAPDB 0 1"] {
        queue(&s, 1);
        let a = s.waits("JOBQ.RESULT q a BLOCK 1m");
        let b = s.waits("JOBQ.RESULT q o0 BLOCK 1m");
        s.ok(take);
        is_gone(&a.reply());
        is_gone(&b.reply());
        s.ok("FLUSHALL");
    }
}

#[test]
fn another_job_that_gets_the_id_is_not_the_one_that_was_waited_for() {
    let s = server!();
    queue(&s, 1);
    let w = s.waits("JOBQ.RESULT q o0 BLOCK 1m");
    s.transaction(["JOBQ.CANCEL q o0", "JOBQ.PUSH q other ID o0"]);
    is_gone(&w.reply());
}

#[test]
fn a_wait_for_news_ends_in_every_way_and_leaves_nothing_behind() {
    let s = server!();
    let t = queue(&s, 0);
    s.asks("JOBQ.RESULT q a BLOCK 100ms").reply().is(list!["active", nil()]);
    let unblocked = s.waits("JOBQ.RESULT q a BLOCK 1m");
    s.ok(format!("CLIENT UNBLOCK {} TIMEOUT", unblocked.id)).is(1);
    unblocked.reply().is(list!["active", nil()]);
    let killed = s.waits("JOBQ.RESULT q a BLOCK 1m");
    s.ok(format!("CLIENT KILL ID {}", killed.id));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
    s.transaction(["JOBQ.RESULT q a BLOCK 1m"])[0].clone().is(list!["active", nil()]);
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.RESULT q a BLOCK 1m").is(list!["done", nil()]);
}
