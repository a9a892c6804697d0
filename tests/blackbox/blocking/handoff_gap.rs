//! Between the hand-off of a job and its delivery lies a gap: whatever happens to the client in it,
//! no job is lost and none is delivered twice.
//!
//! A transaction serves at its end, so that its other commands come before the hand-off. Commands
//! that reach the server in one write come in the gap: it delivers when it has run them all.

use crate::support::{Command, Reply, Server, Waiter, eventually, server};

/// Runs the commands in one transaction, or in one write.
#[track_caller]
fn at_once<C: Command>(s: &Server, in_transaction: bool, commands: impl IntoIterator<Item = C>) {
    let replies = if in_transaction { s.transaction(commands) } else { s.pipeline(commands) };
    assert!(!replies.iter().any(Reply::is_error), "{replies:?}");
}

/// What ends a wait, right before or after the push.
fn ends(id: i64) -> [String; 4] {
    [
        format!("CLIENT KILL ID {id}"),
        format!("CLIENT UNBLOCK {id} TIMEOUT"),
        format!("CLIENT UNBLOCK {id} ERROR"),
        // The wait's time passes while the transaction runs.
        "DEBUG SLEEP 0.4".to_owned(),
    ]
}

/// Every end, and whether it comes in a transaction.
fn cases() -> impl Iterator<Item = (usize, bool)> {
    (0..4).flat_map(|case| [(case, true), (case, false)])
}

/// How long the client waits in this case: short only where the wait itself has to end.
fn block(case: usize) -> &'static str {
    if case == 3 { "300ms" } else { "1m" }
}

/// The ids that a waiter was given, none when it was ended otherwise.
fn given(waiter: &Waiter) -> Vec<String> {
    match waiter.try_read(crate::support::DEADLINE) {
        Ok(Reply::Array(jobs)) => jobs.iter().map(|job| job.at(0).text()).collect(),
        Ok(Reply::Error(_)) | Err(_) => Vec::new(),
        Ok(reply) => panic!("{reply:?}"),
    }
}

/// Every job is either held by the one it was given to, or there for the next.
#[track_caller]
fn nothing_is_lost_or_doubled(s: &Server, waiter: &Waiter, pushed: &[&str], how: &str) {
    let given = given(waiter);
    let mut there: Vec<String> = Vec::new();
    eventually(&format!("every job is somewhere: {how}"), || {
        let jobs = s.ok("JOBQ.POP q COUNT 10 LEASE 1h");
        for job in jobs.items() {
            assert_eq!(job.at(3).int(), 1, "a hand-off that failed is not charged: {how}");
            there.push(job.at(0).text());
        }
        there.len() + given.len() >= pushed.len()
    });
    let mut all = [given.clone(), there.clone()].concat();
    all.sort();
    assert_eq!(all, pushed, "given {given:?}, there {there:?}: {how}");
    let stats = s.ok("JOBQ.STATS q");
    assert_eq!(stats.field("active").int(), pushed.len() as i64, "{how}");
    assert_eq!(stats.field("ready").int(), 0, "{how}");
    s.lives();
}

#[test]
fn an_end_after_the_push_loses_nothing() {
    let s = server!();
    for (case, in_transaction) in cases() {
        let w = s.waits(format!("JOBQ.POP q BLOCK {} LEASE 1h", block(case)));
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, ["JOBQ.PUSH q p ID a", end]);
        nothing_is_lost_or_doubled(&s, &w, &["a"], end);
        s.ok("DEL q");
    }
}

#[test]
fn an_end_before_the_push_loses_nothing() {
    let s = server!();
    for (case, in_transaction) in cases() {
        let w = s.waits(format!("JOBQ.POP q BLOCK {} LEASE 1h", block(case)));
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, [end.as_str(), "JOBQ.PUSH q p ID a"]);
        nothing_is_lost_or_doubled(&s, &w, &["a"], end);
        s.ok("DEL q");
    }
}

#[test]
fn an_end_between_two_pushes_loses_nothing() {
    let s = server!();
    for (case, in_transaction) in cases() {
        let w = s.waits(format!("JOBQ.POP q COUNT 2 BLOCK {} LEASE 1h", block(case)));
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, ["JOBQ.PUSH q p ID a", end, "JOBQ.PUSH q p ID b"]);
        nothing_is_lost_or_doubled(&s, &w, &["a", "b"], end);
        s.ok("DEL q");
    }
}

#[test]
fn an_end_of_a_wait_at_several_queues_loses_nothing() {
    let s = server!();
    for (case, in_transaction) in cases() {
        for order in [["push", "end"], ["end", "push"]] {
            let w = s.waits(format!("JOBQ.POP other ALSO 2 q third BLOCK {} LEASE 1h", block(case)));
            let end = ends(w.id)[case].clone();
            at_once(
                &s,
                in_transaction,
                order.map(|what| if what == "end" { end.as_str() } else { "JOBQ.PUSH q p ID a" }),
            );
            nothing_is_lost_or_doubled(&s, &w, &["a"], &format!("{order:?} {end}"));
            s.ok("DEL q");
        }
    }
}

#[test]
fn an_end_of_a_wait_between_pushes_to_two_of_its_queues_hands_over_one_of_them_at_most() {
    let s = server!();
    for (case, in_transaction) in cases() {
        let w = s.waits(format!("JOBQ.POP q ALSO 1 r COUNT 5 BLOCK {} LEASE 1h", block(case)));
        let end = ends(w.id)[case].clone();
        at_once(&s, in_transaction, ["JOBQ.PUSH r p ID b", end.as_str(), "JOBQ.PUSH q p ID a"]);
        let given = given(&w);
        assert!(given.is_empty() || given == ["b"], "{given:?}: {end}");
        let mut there: Vec<String> = Vec::new();
        eventually(&format!("both jobs are somewhere: {end}"), || {
            let jobs = s.ok("JOBQ.POP q ALSO 1 r COUNT 10 LEASE 1h");
            there.extend(jobs.items().iter().map(|job| job.at(0).text()));
            given.len() + there.len() >= 2
        });
        let mut all = [given, there].concat();
        all.sort();
        assert_eq!(all, ["a", "b"], "{end}");
        s.lives();
        s.ok("DEL q r");
    }
}

#[test]
fn a_job_that_goes_back_reaches_the_next_waiter() {
    let s = server!();
    for (case, in_transaction) in cases().filter(|(case, _)| [0, 2].contains(case)) {
        let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
        let next = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, ["JOBQ.PUSH q p ID a", end]);
        let first = given(&w);
        if first.is_empty() {
            assert_eq!(given(&next), ["a"], "{end}");
        } else {
            assert_eq!(first, ["a"]);
            next.still_waits(&s);
            s.ok("JOBQ.PUSH q p ID b");
            assert_eq!(given(&next), ["b"]);
        }
        s.ok("DEL q");
    }
}

#[test]
fn a_killed_client_gives_its_job_back() {
    let s = server!();
    for in_transaction in [true, false] {
        let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
        at_once(&s, in_transaction, ["JOBQ.PUSH q p ID a".to_owned(), format!("CLIENT KILL ID {}", w.id)]);
        assert!(given(&w).is_empty(), "a killed client is given nothing");
        eventually("the job is back", || s.ok("JOBQ.STATS q").field("ready").int() == 1);
        s.ok("DEL q");
    }
}

#[test]
fn an_ended_claim_passes_the_claim_on() {
    let s = server!();
    for (case, in_transaction) in cases() {
        let t = s.ok("IDEMP.CLAIM k LEASE 1h").at(2).int();
        let w = s.waits(format!("IDEMP.CLAIM k LEASE 1h BLOCK {}", block(case)));
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, [format!("IDEMP.RELEASE k {t}"), end.clone()]);
        let claimed =
            matches!(w.try_read(crate::support::DEADLINE), Ok(Reply::Array(r)) if r[0].text() == "CLAIMED");
        if claimed {
            assert_eq!(s.ok("IDEMP.CLAIM k").at(0).text(), "BUSY", "{end}");
        } else {
            eventually(&format!("another may claim: {end}"), || {
                s.ok("IDEMP.CLAIM k").at(0).text() == "CLAIMED"
            });
        }
        s.lives();
        s.ok("DEL k");
    }
}

#[test]
fn an_ended_reader_passes_the_fill_on() {
    let s = server!();
    for (case, in_transaction) in cases() {
        s.ok("CACHE.GETSET k LEASE 1h");
        let w = s.waits(format!("CACHE.GETSET k LEASE 1h BLOCK {}", block(case)));
        let end = &ends(w.id)[case];
        at_once(&s, in_transaction, ["DEL k", end]);
        let fills =
            matches!(w.try_read(crate::support::DEADLINE), Ok(Reply::Array(r)) if r[0].text() == "FILL");
        if fills {
            assert_eq!(s.ok("CACHE.GETSET k").at(0).text(), "BUSY", "{end}");
        } else {
            eventually(&format!("another may fill: {end}"), || s.ok("CACHE.GETSET k").at(0).text() == "FILL");
        }
        s.lives();
        s.ok("DEL k");
    }
}
