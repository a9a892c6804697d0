//! CACHE.EVENTS: what a process with copies of values follows.

use crate::support::{Server, any, cmd, list, server, within};

/// The rows after `since`: number, kind, name and whether it was hard.
#[track_caller]
fn rows(s: &Server, since: i64) -> Vec<(i64, String, String, i64)> {
    let reply = s.ok(format!("CACHE.EVENTS {since} COUNT 1000"));
    let row = |row: &crate::support::Reply| {
        assert_eq!(row.items().len(), 5);
        (row.at(0).int(), row.at(2).text(), row.at(3).text(), row.at(4).int())
    };
    reply.items().iter().map(row).collect()
}

/// Where a new follower begins: everything that it may have is invalidated.
#[track_caller]
fn begins(s: &Server, since: i64) -> i64 {
    let rows = rows(s, since);
    let (number, kind, name, hard) = rows.first().expect("a row that invalidates everything").clone();
    assert_eq!((kind.as_str(), name.as_str(), hard), ("prefix", "", 1));
    rows.last().map_or(number, |row| row.0)
}

#[test]
fn a_follower_sees_every_name_once_in_order() {
    let s = server!();
    let start = begins(&s, 0);
    assert_eq!(rows(&s, start), []);
    s.ok("CACHE.INVALIDATE TAG 2 a b");
    s.ok("CACHE.INVALIDATE PREFIX 1 user: HARD");
    s.ok("CACHE.SET k v");
    s.ok("CACHE.EXPIRE k");
    let seen = rows(&s, start);
    let told: Vec<_> = seen.iter().map(|row| (row.1.as_str(), row.2.as_str(), row.3)).collect();
    assert_eq!(told, [("tag", "a", 0), ("tag", "b", 0), ("prefix", "user:", 1)]);
    assert!(seen.windows(2).all(|two| two[0].0 < two[1].0));
    s.ok(format!("CACHE.EVENTS {start} COUNT 1")).is(list![list![seen[0].0, any(), "tag", "a", 0]]);
    assert_eq!(rows(&s, seen[0].0), seen[1..]);
    assert_eq!(rows(&s, seen[2].0), []);
    let now = s.now();
    let row = s.ok(format!("CACHE.EVENTS {}", seen[1].0));
    row.at(0).at(1).clone().is(within(now - 60_000..=now));
    s.ok(cmd!["CACHE.INVALIDATE", "TAG", "1", b"\0\xff"]);
    let last = s.ok(format!("CACHE.EVENTS {}", seen[2].0));
    assert_eq!(last.at(0).at(3).bytes(), b"\0\xff");
}

#[test]
fn after_a_restart_a_follower_is_told_to_drop_everything() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("CACHE.INVALIDATE TAG 1 a");
    let since = begins(&s, 0);
    assert_eq!(rows(&s, since), []);
    s.crash_and_restart();
    let start = begins(&s, since);
    assert!(start > since, "{start} is above any number of the earlier run");
    s.ok("CACHE.INVALIDATE TAG 1 b");
    assert_eq!(rows(&s, start).len(), 1);
}

#[test]
fn a_replica_tells_the_same_numbers_as_its_primary() {
    let s = server!();
    let r = s.replica(&[]);
    s.in_step_with(&r);
    let (ours, theirs) = (begins(&s, 0), begins(&r, 0));
    s.ok("CACHE.INVALIDATE TAG 2 a b");
    s.in_step_with(&r);
    let of_primary = rows(&s, ours);
    let of_replica = rows(&r, theirs);
    assert_eq!(of_replica[of_replica.len() - 2..], of_primary);
    // A follower that moves to the replica goes on where it was.
    r.ok("REPLICAOF NO ONE");
    let since = of_primary[1].0;
    r.ok("CACHE.INVALIDATE TAG 1 c");
    let next = rows(&r, since);
    assert_eq!(next.iter().map(|row| row.2.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn it_is_for_those_who_may_know_all_keys() {
    let s = server!();
    // Older servers give no categories to the commands of modules; there it is denied by name.
    let has_categories = !s.call("ACL CAT workgate").is_error();
    let denied = if has_categories { "-@dangerous" } else { "-cache.events" };
    s.ok(format!("ACL SETUSER app on nopass ~app:* +@all {denied}"));
    let app = s.client();
    app.ok("AUTH app x");
    app.refuses("CACHE.EVENTS 0", "NOPERM");
    for wrong in [
        "CACHE.EVENTS",
        "CACHE.EVENTS x",
        "CACHE.EVENTS -1",
        "CACHE.EVENTS 0 COUNT 0",
        "CACHE.EVENTS 0 COUNT 1001",
        "CACHE.EVENTS 0 BLOCK 1s",
    ] {
        s.refuses(wrong, "ERR");
    }
}
