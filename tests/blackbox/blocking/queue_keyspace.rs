//! Waiters of a queue when its key is moved about, and when the server changes its role.

use crate::support::{Reply, eventually, list, server};

#[test]
fn a_queue_renamed_onto_the_awaited_key_serves_the_waiter() {
    let s = server!();
    s.ok("JOBQ.PUSH other p ID a");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("RENAME other q");
    w.reply().at(0).at(0).clone().is("a");
}

#[test]
fn a_queue_copied_restored_or_moved_onto_the_awaited_key_serves_the_waiter() {
    let s = server!();
    s.ok("JOBQ.PUSH other p ID a");
    let dump = s.ok("DUMP other").bytes().to_vec();
    let w = s.waits("JOBQ.POP copied BLOCK 1m");
    s.ok("COPY other copied");
    w.reply().at(0).at(0).clone().is("a");

    let w = s.waits("JOBQ.POP restored BLOCK 1m");
    s.ok(crate::support::cmd!["RESTORE", "restored", 0, dump]);
    w.reply().at(0).at(0).clone().is("a");

    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH moved p ID a");
    s.ok("SELECT 0");
    let w = s.waits("JOBQ.POP moved BLOCK 1m");
    s.ok("SELECT 1");
    s.ok("MOVE moved 0").is(1);
    w.reply().at(0).at(0).clone().is("a");
}

#[test]
fn databases_swapped_under_a_waiter_serve_it() {
    let s = server!();
    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("SELECT 0");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("SWAPDB 0 1");
    w.reply().at(0).at(0).clone().is("a");
}

#[test]
fn after_a_swap_a_waiter_still_waits_for_its_own_database() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("SWAPDB 0 1");
    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH q p ID elsewhere");
    s.ok("SELECT 0");
    w.still_waits(&s);
    s.ok("JOBQ.PUSH q p ID here");
    w.reply().at(0).at(0).clone().is("here");
}

#[test]
fn a_waiter_outlives_the_end_of_its_queue() {
    let s = server!();
    for end in ["FLUSHALL", "DEL q", "RENAME q other", "PEXPIRE q 1"] {
        s.ok("JOBQ.PUSH q p ID far DELAY 1h");
        let w = s.waits("JOBQ.POP q BLOCK 1m");
        s.ok(end);
        eventually("the delayed job is gone", || {
            let stats = s.call("JOBQ.STATS q");
            stats == Reply::Nil || stats.is_error() || stats.field("delayed").int() == 0
        });
        w.still_waits(&s);
        s.ok("JOBQ.PUSH q p ID new");
        w.reply().at(0).at(0).clone().is("new");
        s.ok("FLUSHALL");
    }
}

#[test]
fn a_due_job_of_a_renamed_queue_wakes_the_waiter_of_its_new_name() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 500ms");
    let w = s.waits("JOBQ.POP renamed BLOCK 1m");
    s.ok("RENAME q renamed");
    w.reply().at(0).at(0).clone().is("a");
}

#[test]
fn a_due_job_of_a_swapped_database_wakes_its_waiter() {
    let s = server!();
    s.ok("SELECT 1");
    s.ok("JOBQ.PUSH q p ID a DELAY 500ms");
    s.ok("SELECT 0");
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("SWAPDB 0 1");
    w.reply().at(0).at(0).clone().is("a");
}

#[test]
fn waiters_are_unblocked_when_the_server_becomes_a_replica() {
    let primary = server!();
    let s = server!();
    s.ok("IDEMP.CLAIM k");
    s.ok("CACHE.GETSET c");
    let waiters = [
        s.waits("JOBQ.POP q BLOCK 1m"),
        s.waits("IDEMP.CLAIM k BLOCK 1m"),
        s.waits("CACHE.GETSET c BLOCK 1m"),
    ];
    s.ok(format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    for waiter in waiters {
        let reply = waiter.reply();
        assert!(reply.is_error() && reply.text().starts_with("UNBLOCKED"), "{reply:?}");
    }
    s.lives();
}

#[test]
fn a_replica_does_not_let_a_client_wait() {
    let s = server!();
    s.ok("IDEMP.CLAIM k");
    let r = s.replica(&[]);
    // Writes are refused there; were they allowed, BLOCK would act as not given.
    for call in ["JOBQ.POP q BLOCK 1m", "IDEMP.CLAIM k BLOCK 1m", "CACHE.GETSET c BLOCK 1m"] {
        r.refuses(call, "READONLY");
    }
    let state = s.ok("IDEMP.GET k").field("state").clone();
    r.ok("IDEMP.GET k").field("state").clone().is(&state);
}

#[test]
fn no_waiter_is_left_behind_in_the_queue_that_it_waited_for() {
    let s = server!();
    let w = s.waits("JOBQ.POP q BLOCK 300ms");
    w.reply().is(list![]);
    eventually("no empty queue stays", || s.ok("EXISTS q").int() == 0);
}
