//! Tokens that were granted and lost do not come again.

use std::collections::HashSet;

use crate::support::{Cluster, Server, eventually, figure, server, status};

/// A token of every kind.
fn granted(s: &Server) -> [i64; 4] {
    [
        s.ok("JOBQ.POP q").at(0).at(1).int(),
        s.ok("IDEMP.CLAIM claim LEASE 1h").at(2).int(),
        s.ok("CACHE.GETSET fill LEASE 1h").at(2).int(),
        s.ok("RATELIMIT.ACQUIRE places holder MAX 1 LEASE 1h").at(4).int(),
    ]
}

#[test]
fn starts_from_the_same_file_grant_other_tokens_each_time() {
    let mut s = server!();
    s.ok("JOBQ.PUSH q p");
    s.ok("SAVE").is(status("OK"));
    let mut seen = HashSet::new();
    for start in 1..=6 {
        s.crash_and_restart();
        for token in granted(&s) {
            assert!(seen.insert(token), "the token {token} came twice, the last time after start {start}");
        }
    }
}

#[test]
fn starts_without_any_file_grant_other_tokens_each_time() {
    let mut s = server!();
    let mut seen = HashSet::new();
    for _ in 0..6 {
        s.ok("JOBQ.PUSH q p");
        for token in granted(&s) {
            assert!(seen.insert(token), "the token {token} came twice");
        }
        s.crash_and_restart();
    }
}

#[test]
fn promotions_in_a_row_grant_other_tokens_each_time() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let mut seen = HashSet::new();
    // Each of them takes over from the same state: what the others granted is lost to it.
    for _ in 0..4 {
        let r = s.replica(&[]);
        r.ok("REPLICAOF NO ONE");
        for token in granted(&r) {
            assert!(seen.insert(token), "the token {token} came twice");
        }
    }
}

/// How a slot with this key goes to another node.
fn moves(cluster: &Cluster, key: &str, from: &Server, to: &Server, as_a_whole: bool) {
    let slot = from.ok(format!("CLUSTER KEYSLOT {key}")).int();
    let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
    if as_a_whole {
        from.ok(format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {target}"));
    } else {
        to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
        from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
        from.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()));
        for node in [to, from].into_iter().chain(&cluster.nodes) {
            node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
        }
    }
    eventually("the slot has moved", || !to.call(format!("IDEMP.GET {key}")).is_error());
}

#[test]
fn a_key_that_was_gone_when_its_slot_moved_grants_other_tokens_than_before() {
    let cluster = Cluster::start();
    let is_atomic = !cluster.nodes[0].call("CLUSTER GETSLOTMIGRATIONS").is_error();
    let (mut seen, mut moved) = (HashSet::new(), 0);
    for as_a_whole in [false, true].into_iter().filter(|as_a_whole| is_atomic || !as_a_whole) {
        let tag = if as_a_whole { "{whole}" } else { "{keys}" };
        let key = format!("{tag}kept");
        let mut from = cluster.owner(&key);
        for to in [0, 1, 2, 0, 1, 2].map(|node| &cluster.nodes[node]) {
            if to.port() == from.port() {
                continue;
            }
            // The next tokens after the one that moves are of a key that leaves nothing behind.
            let tell = |node: &Server, seen: &mut HashSet<i64>| {
                for holder in 0..20 {
                    let token = node.ok(format!("RATELIMIT.ACQUIRE {tag}places h{holder} MAX 1")).at(4).int();
                    assert!(seen.insert(token), "the token {token} came twice");
                    node.ok(format!("RATELIMIT.RELEASE {tag}places h{holder}"));
                }
                node.ok(format!("EXISTS {tag}places")).is(0);
            };
            from.ok(format!("DEL {key}"));
            seen.insert(from.ok(format!("IDEMP.CLAIM {key} LEASE 1d")).at(2).int());
            tell(from, &mut seen);
            moves(&cluster, &key, from, to, as_a_whole);
            tell(to, &mut seen);
            (from, moved) = (to, moved + 1);
        }
    }
    figure(format!(
        "{moved} moves of a slot: {} tokens of one key that was gone each time, none came twice",
        seen.len()
    ));
}
