//! The way in and out: a server takes the module while it runs, and leaves it when the module holds
//! nothing.

use std::fs;

use crate::support::{Server, Snapshot, eventually, module, server, status, write_every_state};

/// Whether the server lets a module write nothing into its files.
fn lets_modules_save_nothing(s: &Server) -> bool {
    let info = s.ok("INFO server").text();
    !info.contains("redis_version:7.0.") || info.contains("valkey_version")
}

fn rewrite(s: &Server) {
    eventually("no rewrite runs", || s.info("aof_rewrite_in_progress") == "0");
    s.ok("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
    });
    assert_eq!(s.info("aof_last_bgrewrite_status"), "ok");
}

/// Deletes all that the module holds, by the server's own commands and those of the policies.
fn empty(s: &Server) {
    s.ok("FLUSHALL SYNC");
    for family in ["RATELIMIT", "CACHE"] {
        let policies = s.ok(format!("{family}.POLICY LIST"));
        let names: Vec<String> = policies.fields().iter().map(|(name, _)| name.text()).collect();
        assert!(!names.is_empty(), "the history has policies of {family}");
        names.iter().for_each(|name| drop(s.ok(format!("{family}.POLICY DEL {name}"))));
    }
    s.ok("SET plain v");
}

#[track_caller]
fn starts_without_the_module(s: &mut Server, options: &[&str]) {
    s.restart_as("SHUTDOWN NOSAVE", options);
    assert!(s.call("JOBQ.STATS q").is_error(), "the module is not there");
    s.ok("GET plain").is("v");
}

#[test]
fn an_emptied_server_starts_without_the_module_from_its_rdb_file() {
    let mut s = server!();
    if !lets_modules_save_nothing(&s) {
        return;
    }
    write_every_state(&s);
    s.ok("CACHE.POLICY SET page: TTL 1h");
    s.ok("CACHE.INVALIDATE TAG 1 some");
    empty(&s);
    s.ok("SAVE");
    starts_without_the_module(&mut s, &[]);
}

#[test]
fn an_emptied_server_starts_without_the_module_from_its_append_only_file() {
    let mut s = server!("appendonly yes");
    write_every_state(&s);
    s.ok("CACHE.POLICY SET page: TTL 1h");
    empty(&s);
    if !lets_modules_save_nothing(&s) {
        // What the operations guide says for Redis 7.0.
        s.ok("CONFIG SET aof-use-rdb-preamble no");
    }
    rewrite(&s);
    let _ = fs::remove_file(s.directory().join("dump.rdb"));
    starts_without_the_module(&mut s, &["appendonly yes"]);
}

#[test]
fn a_server_that_was_emptied_goes_on_and_its_replicas_and_files_follow() {
    let mut s = server!("appendonly yes", "appendfsync always");
    write_every_state(&s);
    s.ok("CACHE.POLICY SET page: TTL 1h");
    let first = s.replica(&[]);
    empty(&s);
    s.ok("CACHE.INVALIDATE TAG 1 some");
    // This one loads a file that holds nothing of the module.
    let second = s.replica(&[]);
    let token = s.ok("IDEMP.CLAIM claim LEASE 1h").at(2).int();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("RATELIMIT.CHECK u 10/1h");
    s.ok("JOBQ.POP q LEASE 1h");
    let digests = Snapshot::of(&s);
    for replica in [&first, &second] {
        s.in_step_with(replica);
        assert_eq!(Snapshot::of(replica), digests);
    }
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), digests);
    assert!(s.ok("IDEMP.CLAIM other LEASE 1h").at(2).int() > token);
}

#[test]
fn a_running_server_with_data_takes_the_module() {
    let mut s = Server::plain(&["appendonly yes", "appendfsync always"]);
    s.ok("SET plain v");
    s.ok("RPUSH list a b");
    let r = s.replica(&[]);
    // Replicas first, as the operations guide says.
    for server in [&r, &s] {
        server.ok(format!("MODULE LOAD {}", module().display())).is(status("OK"));
    }
    write_every_state(&s);
    s.in_step_with(&r);
    let digests = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), digests);
    let load = Server::load_line();
    s.restart_as("SHUTDOWN", &[&load, "appendonly yes", "appendfsync always"]);
    assert_eq!(Snapshot::of(&s), digests);
    s.ok("GET plain").is("v");
}

#[test]
fn a_load_that_the_policy_file_refuses_leaves_the_server_alone() {
    let s = Server::plain(&[]);
    let file = s.directory().join("bad.txt");
    fs::write(&file, "RATELIMIT.POLICY SET ai 10").expect("the file is written");
    let load = format!("MODULE LOADEX {} CONFIG workgate.policy-file {}", module().display(), file.display());
    assert!(s.call(load.as_str()).is_error());
    // The next events of the server reach no one.
    s.ok("CONFIG SET maxmemory 100mb");
    s.ok("SET a 1");
    s.ok("FLUSHALL");
    s.ok("SWAPDB 0 1");
    s.ok("DEBUG RELOAD");
    s.lives();
}

#[test]
fn a_newer_value_is_refused_with_both_versions_named() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let dump = crate::support::Dump::of(s.ok("DUMP q").bytes()).newer();
    assert!(s.call(crate::support::cmd!["RESTORE", "other", 0, dump.sealed()]).is_error());
    // The log of a server in a container comes a moment later.
    eventually("the log names both versions", || {
        let log = s.log_tail();
        log.contains("written by a newer workgate in encoding")
            && log.contains("this one knows encodings up to")
    });
}

#[test]
fn info_counts_what_has_happened() {
    let s = server!();
    let count = |field: &str| -> u64 { s.info(&format!("workgate_{field}")).parse().expect("a number") };
    for _ in 0..3 {
        s.ok("RATELIMIT.CHECK u 2/1h");
    }
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b RETRIES 0");
    for id in ["a", "b"] {
        let token = s.ok("JOBQ.POP q").at(0).at(1).int();
        s.ok(match id {
            "a" => format!("JOBQ.ACK q a {token}"),
            _ => format!("JOBQ.FAIL q b {token}"),
        });
    }
    assert!(s.call("JOBQ.ACK q b 1").is_error());
    let token = s.ok("CACHE.GETSET k").at(2).int();
    s.ok(format!("CACHE.SET k v TOKEN {token}"));
    s.ok("CACHE.GETSET k");
    s.ok("CACHE.SET k v TOKEN 1").is(0);
    let counts: Vec<(&str, u64)> = ["allowed", "denied", "pushed", "done", "dead", "hits", "fills"]
        .into_iter()
        .map(|field| (field, count(field)))
        .collect();
    let want =
        [("allowed", 2), ("denied", 1), ("pushed", 2), ("done", 1), ("dead", 1), ("hits", 1), ("fills", 1)];
    assert_eq!(counts, want);
    assert!(count("fenced") >= 1);
    assert!(count("calls") >= 13);
}
