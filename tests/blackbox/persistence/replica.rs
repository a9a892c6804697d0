//! A replica holds what its primary holds, also after it took over.

use crate::support::{Server, Snapshot, eventually, list, server, status, write_every_state};

#[track_caller]
fn equal(primary: &Server, replica: &Server) {
    primary.in_step_with(replica);
    assert_eq!(Snapshot::of(replica), Snapshot::of(primary));
}

#[test]
fn a_replica_that_joins_later_is_equal() {
    let s = server!();
    write_every_state(&s);
    equal(&s, &s.replica(&[]));
}

#[test]
fn a_replica_that_was_there_from_the_start_is_equal() {
    let s = server!();
    let r = s.replica(&[]);
    write_every_state(&s);
    equal(&s, &r);
}

#[test]
fn a_replica_of_a_replica_and_its_own_append_only_file_are_equal() {
    let mut s = server!();
    let mut r = s.replica(&["appendonly yes", "appendfsync always"]);
    let leaf = r.replica(&[]);
    write_every_state(&s);
    equal(&s, &r);
    r.in_step_with(&leaf);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&leaf), want);
    // What the replica wrote to its own file, replayed without the primary.
    drop(leaf);
    s.kill();
    let after = Snapshot::of(&r);
    r.crash_and_restart();
    assert_eq!(Snapshot::of(&r), after);
}

#[test]
fn a_job_handed_to_a_waiter_is_active_on_the_replica() {
    let s = server!();
    let r = s.replica(&[]);
    let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.ok("JOBQ.PUSH q p ID a");
    w.reply().at(0).at(0).clone().is("a");
    equal(&s, &r);
    r.ok("JOBQ.STATS q").field("active").clone().is(1);
}

#[test]
fn what_time_makes_due_reaches_the_replica() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a DELAY 300ms");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.POP q LEASE 300ms");
    let w = s.waits("JOBQ.POP q COUNT 2 BLOCK 1m LEASE 1h");
    w.reply();
    s.goes_on(310);
    s.ok("JOBQ.POP q LEASE 1h");
    s.ok("JOBQ.STATS q").field("active").clone().is(2);
    equal(&s, &r);
}

#[test]
fn reads_work_on_a_replica_and_writes_do_not() {
    let s = server!();
    write_every_state(&s);
    let r = s.replica(&[]);
    for read in ["CACHE.GET cache:ttl", "WORKGATE.DIGEST jobs", "WORKGATE.DIGEST"] {
        r.ok(read).is(s.ok(read));
    }
    // Of answers that hold times, what does not move with the clock.
    r.ok("RATELIMIT.PEEK limit:window 10/1h")
        .at(2)
        .clone()
        .is(s.ok("RATELIMIT.PEEK limit:window 10/1h").at(2));
    assert_eq!(r.ok("RATELIMIT.PEEK limit:several").items().len(), 3);
    for (read, fields) in [
        ("IDEMP.GET claim:done", &["state", "value", "attempt"][..]),
        ("JOBQ.GET jobs done", &["state", "payload", "attempt"]),
        ("JOBQ.STATS jobs", &["ready", "delayed", "active", "blocked", "done", "dead"]),
    ] {
        let (here, there) = (r.ok(read), s.ok(read));
        for field in fields {
            assert_eq!(here.field(field), there.field(field), "{read}: {field}");
        }
    }
    for write in [
        "RATELIMIT.CHECK u 1/1m",
        "IDEMP.CLAIM k",
        "JOBQ.PUSH q p",
        "JOBQ.POP q",
        "CACHE.GETSET k",
        "CACHE.SET k v",
    ] {
        r.refuses(write, "READONLY");
    }
}

#[test]
fn after_a_failover_the_work_goes_on() {
    let mut s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID later DELAY 400ms");
    let job = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    let claim = s.ok("IDEMP.CLAIM k LEASE 1h").at(2).int();
    let fill = s.ok("CACHE.GETSET c LEASE 1h").at(2).int();
    s.ok("RATELIMIT.CHECK u 3/1h COST 3");
    let r = s.replica(&[]);
    let before = Snapshot::of(&s);
    s.kill();
    r.ok("REPLICAOF NO ONE");
    assert_eq!(Snapshot::of(&r), before);
    let waiter = r.asks("JOBQ.POP q BLOCK 1m");
    let next = waiter.reply();
    next.at(0).at(0).clone().is("later");
    let tokens_lost = 245_000_000;
    assert!(
        next.at(0).at(1).int() > fill + tokens_lost,
        "tokens that the lost primary may have issued are left out"
    );
    r.ok(format!("JOBQ.ACK q a {job}")).is(status("OK"));
    r.ok(format!("IDEMP.COMPLETE k {claim} r")).is(status("OK"));
    r.ok(format!("CACHE.SET c v TOKEN {fill}")).is(1);
    r.ok("RATELIMIT.CHECK u 3/1h").at(0).clone().is(0);
}

#[test]
fn one_effect_is_replicated_for_a_change_and_none_for_a_refusal() {
    let s = server!();
    let stream = s.stream();
    s.ok("JOBQ.PUSH q p ID a");
    let replicated = stream.taken(&s);
    assert_eq!(replicated.len(), 1, "{replicated:?}");
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
    s.call("JOBQ.ACK q a 1");
    s.ok("JOBQ.GET q a");
    assert_eq!(stream.taken(&s), Vec::<String>::new());
    s.ok("RATELIMIT.CHECK u 1/1h UPTO");
    assert_eq!(stream.taken(&s).len(), 1);
    s.ok("RATELIMIT.CHECK u 1/1h UPTO");
    assert_eq!(stream.taken(&s).len(), 0);
}

#[test]
fn an_expired_key_is_deleted_on_the_replica_too() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok("RATELIMIT.CHECK u 1/30ms");
    s.ok("CACHE.SET c v TTL 30ms");
    eventually("both are gone", || s.ok("EXISTS u c").int() == 0);
    equal(&s, &r);
    eventually("nothing is left", || r.ok("DBSIZE").int() == 0);
}
