//! Files that a server writes by itself, and what goes on after a start from them.

use crate::support::{Server, Snapshot, eventually, figure, list, nil, server};

/// Entries of every kind under marks of every kind.
fn invalidate(s: &Server) {
    for (key, options) in [("miss", ""), ("stale", " GRACE 1h"), ("annotated", " GRACE 1h META m")] {
        s.ok(format!("CACHE.SET tag:{key} v TTL 1h{options} TAGS 1 t"));
        s.ok(format!("CACHE.SET hard:{key} v TTL 1h{options} TAGS 1 h"));
        s.ok(format!("CACHE.SET prefix:{key} v TTL 1h{options}"));
        s.ok(format!("CACHE.SET kept:{key} v TTL 1h{options} TAGS 1 other"));
    }
    s.ok("CACHE.GETSET prefix:leased");
    s.ok("CACHE.INVALIDATE TAG 1 t");
    s.ok("CACHE.INVALIDATE TAG 1 h HARD");
    s.ok("CACHE.INVALIDATE PREFIX 1 prefix:");
}

fn touch_all(s: &Server) {
    for scope in ["tag", "hard", "prefix", "kept"] {
        for key in ["miss", "stale", "annotated", "leased"] {
            s.ok(format!("CACHE.EXPIRE {scope}:{key}"));
        }
    }
}

#[test]
fn a_replica_that_starts_from_its_own_file_and_goes_on_in_part_holds_what_its_primary_holds() {
    let s = server!();
    let mut r = s.replica(&[]);
    invalidate(&s);
    s.in_step_with(&r);
    let before = Snapshot::of(&s);
    let full = s.info("sync_full");
    let options = [Server::load_line(), format!("replicaof 127.0.0.1 {}", s.port())];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    r.restart_as("SHUTDOWN SAVE", &options);
    s.in_step_with(&r);
    assert_eq!(s.info("sync_full"), full, "the resynchronisation is a partial one");
    assert_eq!(Snapshot::of(&r), before);
    touch_all(&s);
    s.in_step_with(&r);
    assert_eq!(Snapshot::of(&r), Snapshot::of(&s));
    for key in ["tag:miss", "hard:stale", "prefix:miss"] {
        s.ok(format!("EXISTS {key}")).is(0);
        r.ok(format!("EXISTS {key}")).is(0);
    }
    figure(format!(
        "{} entries under marks of 3 kinds: equal on both after a partial resynchronisation",
        before.len()
    ));
}

#[test]
fn a_save_by_the_server_itself_keeps_entries_and_marks_as_they_are_and_a_dump_takes_its_own_along() {
    let mut s = server!();
    invalidate(&s);
    let before = Snapshot::of(&s);
    for save in ["SAVE", "DEBUG RELOAD"] {
        s.ok(save);
        assert_eq!(Snapshot::of(&s), before, "{save}");
    }
    let stale = s.ok("DUMP tag:stale").bytes().to_vec();
    s.restart_as("SHUTDOWN SAVE", &[Server::load_line().as_str()]);
    assert_eq!(Snapshot::of(&s).keys(), before.keys());
    // After a whole file, what is dumped is an entry of its own again.
    let other = server!();
    for dump in [stale, s.ok("DUMP tag:stale").bytes().to_vec()] {
        other.ok(crate::support::cmd!["RESTORE", "tag:stale", 0, dump, "REPLACE"]);
        other.ok("CACHE.GET tag:stale").is(nil());
    }
}

#[test]
#[cfg_attr(not(feature = "test-commands"), ignore = "needs a module built with --features test-commands")]
fn a_change_that_panics_halfway_stops_the_server_and_is_on_no_replica_and_in_no_file() {
    let mut s = server!("appendonly yes", "appendfsync always", "crash-memcheck-enabled no");
    let r = s.replica(&[]);
    let before = [
        "JOBQ.PUSH q p ID kept",
        "RATELIMIT.CHECK limit 9/1d",
        "IDEMP.CLAIM claim LEASE 1d",
        "IDEMP.SEEN seen 1d a",
        "CACHE.SET entry v TTL 1d TAGS 1 t",
        "BREAKER.REPORT breaker OK 1",
    ];
    s.pipeline(before);
    s.in_step_with(&r);
    // Of each family: one on what is there, and one that makes a key; and the tables.
    let changes = [
        "JOBQ.PUSH q p ID half",
        "JOBQ.MPUSH new 2 p p",
        "RATELIMIT.CHECK limit 9/1d",
        "RATELIMIT.CHECK limit other=9/1d COST 2 HOLD h 1h",
        "IDEMP.CLAIM half",
        "IDEMP.SEEN seen 1d b",
        "CACHE.SET entry w TTL 1d",
        "CACHE.EXPIRE entry",
        "BREAKER.REPORT breaker FAIL 1",
        "RATELIMIT.POLICY SET ai 5/1h",
        "CACHE.POLICY SET page: TTL 1h",
        "CACHE.INVALIDATE TAG 1 t",
    ];
    for change in changes {
        let whole = Snapshot::of(&s);
        s.ok("WORKGATE.TEST PANIC APPLY");
        assert!(s.client().try_call(change).is_err(), "{change}: the server is gone");
        s.crashes();
        assert_eq!(Snapshot::of(&r), whole, "{change}: the replica");
        s.revive();
        assert_eq!(Snapshot::of(&s).keys(), whole.keys(), "{change}: the file");
        s.ok("RATELIMIT.POLICY LIST").is(list![]);
        s.ok("CACHE.POLICY LIST").is(list![]);
        s.in_step_with(&r);
        assert_eq!(Snapshot::of(&r).keys(), whole.keys(), "{change}: the replica later");
    }
    figure(format!(
        "{} changes that panicked: each stopped the server, none is on the replica or in the file",
        changes.len()
    ));
}

#[test]
#[cfg_attr(not(feature = "test-commands"), ignore = "needs a module built with --features test-commands")]
fn a_panic_while_the_append_only_file_is_rewritten_keeps_the_old_file() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    s.ok("JOBQ.PUSH q p ID a");
    eventually("no file is rewritten", || s.info("aof_rewrite_in_progress") == "0");
    s.ok("WORKGATE.TEST PANIC REWRITE");
    s.ok("BGREWRITEAOF");
    eventually("the rewrite has failed", || s.info("aof_last_bgrewrite_status") == "err");
    // The log of a container comes a moment later.
    eventually("the log tells how the child ended", || s.log_tail().contains("terminated by signal"));
    s.forget_crash();
    s.crash_and_restart();
    s.ok("JOBQ.GET q a").field("state").clone().is("ready");
    figure("1 rewrite that panicked: it counts as failed, and the file before it holds all");
}
