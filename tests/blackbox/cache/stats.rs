//! CACHE.STATS: what happened, and how many entries there are, however they come and go.

use crate::support::{Server, cmd, eventually, nil, server};

fn stat(s: &Server, prefix: Option<&str>, field: &str) -> i64 {
    let reply = match prefix {
        Some(prefix) => s.ok(cmd!["CACHE.STATS", prefix]),
        None => s.ok("CACHE.STATS"),
    };
    reply.field(field).int()
}

/// Entries and bytes, of one policy or of all.
fn size(s: &Server, prefix: Option<&str>) -> (i64, i64) {
    (stat(s, prefix, "entries"), stat(s, prefix, "bytes"))
}

fn with_policies() -> Server {
    let s = server!("save ''");
    s.ok("CACHE.POLICY SET a: COMPRESS 0");
    s.ok("CACHE.POLICY SET b: COMPRESS 0");
    s
}

#[test]
fn every_answer_is_counted_for_its_policy() {
    let s = with_policies();
    s.ok("CACHE.STATS a:").field("hit_ratio").clone().is(nil());
    let t = s.ok("CACHE.GETSET a:k").at(2).int();
    s.ok("CACHE.GETSET a:k");
    s.ok("CACHE.GET a:k");
    let waiter = s.waits("CACHE.GETSET a:k BLOCK 1m");
    s.ok(format!("CACHE.SET a:k v TOKEN {t} TTL 1h GRACE 1h"));
    waiter.reply();
    s.ok("CACHE.GETSET a:k");
    s.ok("CACHE.GET a:k");
    s.ok(format!("CACHE.SET a:k v TOKEN {}", t + 1)).is(0);
    s.refuses(format!("CACHE.RELEASE a:k {t}"), "FENCED");
    s.ok("CACHE.EXPIRE a:k");
    s.ok("CACHE.GETSET a:k");
    s.ok("CACHE.GETSET a:k");
    s.ok("CACHE.ABSENT a:none");
    s.ok("CACHE.GETSET a:none");
    s.ok("CACHE.GET a:none");
    s.ok("SET a:plain v");
    s.ok("CACHE.GETSET a:plain");
    s.ok("CACHE.GET a:plain");
    s.ok("CACHE.GETSET elsewhere");
    for (field, expected) in [
        ("hits", 5),
        ("stale", 2),
        ("absent", 2),
        ("misses", 3),
        ("fills", 2),
        ("early", 0),
        ("waits", 1),
        ("fenced", 2),
        ("invalidated", 0),
    ] {
        assert_eq!(stat(&s, Some("a:"), field), expected, "{field}");
        assert_eq!(stat(&s, Some("b:"), field), 0, "{field}");
    }
    s.ok("CACHE.STATS a:").field("hit_ratio").clone().is("0.75");
    assert_eq!((stat(&s, Some(""), "misses"), stat(&s, None, "misses")), (1, 4));
    s.ok("CACHE.INVALIDATE PREFIX 1 a:");
    s.ok("CACHE.GETSET a:none");
    assert_eq!(stat(&s, Some("a:"), "invalidated"), 1);
    s.refuses("CACHE.STATS c:", "NOPOLICY no policy for the prefix 'c:'");
    s.refuses("CACHE.STATS a: b:", "ERR");
}

#[test]
fn entries_are_counted_however_they_go() {
    let s = with_policies();
    let value = "v".repeat(1_000);
    for gone in [
        "DEL a:k",
        "UNLINK a:k",
        "FLUSHDB ASYNC",
        "FLUSHALL",
        "PEXPIRE a:k 1",
        "SET a:k string",
        "CACHE.EXPIRE a:k",
    ] {
        s.ok(format!("CACHE.SET a:k {value}"));
        s.ok(format!("CACHE.SET a:k {value}x"));
        let (entries, bytes) = size(&s, Some("a:"));
        assert_eq!(entries, 1, "{gone}");
        assert!((1_000..1_200).contains(&bytes), "{bytes}");
        s.ok(gone);
        eventually(gone, || size(&s, None) == (0, 0));
        s.ok("DEL a:k");
    }
    s.ok("CACHE.GETSET a:k LEASE 1h");
    assert_eq!(size(&s, Some("a:")).0, 1);
    s.ok("DEL a:k");
    assert_eq!(size(&s, None), (0, 0));
}

#[test]
fn entries_are_counted_however_they_move() {
    let s = with_policies();
    s.ok("CACHE.SET a:k value");
    let one = size(&s, Some("a:"));
    s.ok("COPY a:k b:k");
    assert_eq!((size(&s, Some("a:")), size(&s, Some("b:"))), (one, one));
    s.ok("MOVE a:k 1");
    s.ok("SWAPDB 0 1");
    assert_eq!((size(&s, Some("a:")), size(&s, Some("b:"))), (one, one));
    // Renamed, it is counted where it was until it is next written.
    s.ok("RENAME a:k b:renamed");
    assert_eq!(size(&s, None).0, 2);
    s.ok("CACHE.SET b:renamed value");
    assert_eq!((size(&s, Some("a:")), size(&s, Some("b:"))), ((0, 0), (2 * one.0, 2 * one.1)));
    let dump = s.ok("DUMP b:renamed");
    s.ok(cmd!["RESTORE", "a:restored", 0, dump.bytes()]);
    assert_eq!(size(&s, Some("a:")), one);
    s.ok("DEBUG RELOAD");
    // A server may free what it held before the reload later, on another thread.
    eventually("what was loaded is counted once", || {
        (size(&s, Some("a:")), size(&s, None)) == (one, (3 * one.0, 3 * one.1))
    });
    s.ok("CACHE.POLICY DEL a:");
    s.refuses("CACHE.STATS a:", "NOPOLICY");
    s.ok("CACHE.SET a:restored value");
    assert_eq!(size(&s, Some("")), one);
}

#[test]
fn evicted_entries_are_not_counted() {
    let s = with_policies();
    for i in 0..50 {
        s.ok(format!("CACHE.SET a:{i} {}", "v".repeat(1_000)));
    }
    assert_eq!(size(&s, Some("a:")).0, 50);
    s.ok("CONFIG SET maxmemory-policy allkeys-random");
    s.ok("CONFIG SET maxmemory 1");
    eventually("all are evicted", || s.ok("DBSIZE").int() == 0);
    assert_eq!(size(&s, None), (0, 0));
}

#[test]
fn a_replica_and_a_restart_count_what_they_hold() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    let r = s.replica(&[]);
    s.ok("CACHE.POLICY SET a:");
    for i in 0..10 {
        s.ok(format!("CACHE.SET a:{i} v TTL 1h"));
    }
    s.ok("DEL a:0");
    s.in_step_with(&r);
    let want = size(&s, Some("a:"));
    assert_eq!(want.0, 9);
    assert_eq!(size(&r, Some("a:")), want);
    r.ok("CACHE.GET a:1").is("v");
    assert_eq!((stat(&r, Some("a:"), "hits"), stat(&s, Some("a:"), "hits")), (1, 0));
    drop(r);
    s.crash_and_restart();
    assert_eq!(size(&s, Some("a:")), want);
    s.ok("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
    });
    s.crash_and_restart();
    assert_eq!(size(&s, Some("a:")), want);
}
