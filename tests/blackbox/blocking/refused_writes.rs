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
