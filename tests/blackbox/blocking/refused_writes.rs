//! A server that refuses the writes of its clients grants nothing to those who wait either.

use std::fs;

use crate::support::{Cluster, Server, eventually, server, status};

/// Claims, fills and jobs that wait, and the setting that lets nobody write.
fn nothing_is_granted_until(s: &Server, refuse: impl Fn(), allow: impl Fn(), error: &str) {
    s.ok("IDEMP.CLAIM k LEASE 300ms");
    s.ok("CACHE.GETSET c LEASE 300ms");
    s.ok("JOBQ.PUSH q p ID due DELAY 300ms");
    let claim = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
    let fill = s.waits("CACHE.GETSET c BLOCK 1m LEASE 1h");
    let pop = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    refuse();
    s.refuses("IDEMP.CLAIM other", error);
    // All that they wait for is due by then.
    s.goes_on(600);
    for waiter in [&claim, &fill, &pop] {
        waiter.still_waits(s);
    }
    allow();
    assert_eq!(claim.reply().at(0).text(), "CLAIMED");
    assert_eq!(fill.reply().at(0).text(), "FILL");
    assert_eq!(pop.reply().at(0).at(0).text(), "due");
}

#[test]
fn a_primary_without_its_replicas_grants_nothing_to_those_who_wait() {
    let s = server!();
    let set = |replicas: u32| drop(s.ok(format!("CONFIG SET min-replicas-to-write {replicas}")));
    nothing_is_granted_until(&s, || set(1), || set(0), "NOREPLICAS");
}

#[test]
fn a_primary_that_cannot_save_grants_nothing_to_those_who_wait() {
    let s = server!("save 3600 1000000");
    let target = s.directory().join("dump.rdb");
    let refuse = || {
        // A folder in the place of the file: the save fails when it renames.
        fs::create_dir_all(target.join("full")).expect("a folder");
        s.ok("BGSAVE");
        eventually("the save has failed", || s.info("rdb_last_bgsave_status") == "err");
    };
    let allow = || drop(s.ok("CONFIG SET stop-writes-on-bgsave-error no"));
    nothing_is_granted_until(&s, refuse, allow, "MISCONF");
}

#[test]
fn who_waits_at_a_key_that_moves_to_another_node_is_sent_there() {
    let cluster = Cluster::start();
    let key = &cluster.keys("pay:")[0];
    let (source, target) = (&cluster.nodes[0], &cluster.nodes[1]);
    let slot = source.ok(format!("CLUSTER KEYSLOT {key}")).int();
    let [from, to] = [source, target].map(|node| node.ok("CLUSTER MYID").text());
    let token = source.ok(format!("IDEMP.CLAIM {key} LEASE 10m")).at(2).int();
    let waiter = source.waits(format!("IDEMP.CLAIM {key} BLOCK 1m"));
    target.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    source.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    source.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", target.port())).is(status("OK"));
    source.goes_on(300);
    waiter.still_waits(source);
    for node in [target, source] {
        node.ok(format!("CLUSTER SETSLOT {slot} NODE {to}"));
    }
    let reply = waiter.reply();
    assert!(reply.is_error() && format!("{reply:?}").contains("MOVED"), "{reply:?}");
    target.ok(format!("IDEMP.COMPLETE {key} {token} result")).is(status("OK"));
}

#[test]
fn a_full_server_grants_what_takes_memory_once_there_is_some() {
    let s = server!();
    let [record, entry] = ["IDEMP.CLAIM k LEASE 1h", "CACHE.GETSET c LEASE 1h"].map(|call| s.ok(call));
    let done = s.ok("IDEMP.CLAIM done LEASE 1h").at(2).int();
    s.ok("RATELIMIT.ACQUIRE a holder MAX 1 LEASE 1h");
    s.ok("JOBQ.PUSH q p ID due DELAY 300ms");
    let claim = s.waits("IDEMP.CLAIM k BLOCK 1m LEASE 1h");
    let fill = s.waits("CACHE.GETSET c BLOCK 1m LEASE 1h");
    let place = s.waits("RATELIMIT.ACQUIRE a other MAX 1 BLOCK 1m LEASE 1h");
    let result = s.waits("IDEMP.CLAIM done BLOCK 1m");
    let pop = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    let short = s.waits("IDEMP.CLAIM k BLOCK 2s");
    s.ok("CONFIG SET maxmemory 1");
    s.refuses("IDEMP.CLAIM other BLOCK 1m", "OOM");
    // A result and a job take no memory.
    s.ok(format!("IDEMP.COMPLETE done {done} r"));
    assert_eq!(result.reply().at(0).text(), "DONE");
    assert_eq!(pop.reply().at(0).at(0).text(), "due");
    // A new record, a new entry and another holder's place do.
    s.ok("DEL k c");
    s.ok("RATELIMIT.RELEASE a holder");
    assert_eq!(short.reply().at(0).text(), "BUSY");
    for waiter in [&claim, &fill, &place] {
        waiter.still_waits(&s);
    }
    s.ok("CONFIG SET maxmemory 0");
    assert!(claim.reply().at(2).int() > record.at(2).int());
    assert!(fill.reply().at(2).int() > entry.at(2).int());
    assert_eq!(place.reply().at(0).int(), 1);
}
