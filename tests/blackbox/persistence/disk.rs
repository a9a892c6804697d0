//! What is on disk and on the replica is what the primary holds, by WORKGATE.DIGEST, whole and key
//! by key.

use crate::support::{Server, Snapshot, eventually, list, server, status, write_every_state};

/// The append-only file as it is, after kill -9 and a replay.
#[track_caller]
fn survives(s: &mut Server, what: &str) {
    let before = Snapshot::of(s);
    assert!(before.len() >= 14, "the history is there");
    s.crash_and_restart();
    assert_eq!(Snapshot::of(s), before, "{what}");
    s.lives();
}

fn rewrite(s: &Server) {
    s.ok("BGREWRITEAOF");
    eventually("the file is rewritten", || {
        s.info("aof_rewrite_in_progress") == "0" && s.info("aof_rewrite_scheduled") == "0"
    });
    assert_eq!(s.info("aof_last_bgrewrite_status"), "ok");
}

#[test]
fn a_reload_changes_nothing() {
    let s = server!();
    write_every_state(&s);
    let before = Snapshot::of(&s);
    s.ok("DEBUG RELOAD").is(status("OK"));
    assert_eq!(Snapshot::of(&s), before);
    s.ok("DEBUG RELOAD");
    assert_eq!(Snapshot::of(&s), before);
}

#[test]
fn kill_9_loses_nothing_with_appendfsync_always() {
    let mut s = server!("appendonly yes", "appendfsync always");
    write_every_state(&s);
    survives(&mut s, "the replayed file");
    write_more(&s);
    survives(&mut s, "the replayed file, written to after a replay");
}

#[test]
fn a_rewritten_file_with_an_rdb_preamble_holds_everything() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble yes");
    write_every_state(&s);
    rewrite(&s);
    survives(&mut s, "the rewritten file");
    write_more(&s);
    survives(&mut s, "the rewritten file and what came after it");
}

#[test]
fn a_rewritten_file_without_an_rdb_preamble_holds_everything() {
    let mut s = server!("appendonly yes", "appendfsync always", "aof-use-rdb-preamble no");
    write_every_state(&s);
    rewrite(&s);
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    let after = Snapshot::of(&s);
    assert_eq!(after.keys(), before.keys(), "the keys of the rewritten file");
    write_more(&s);
    rewrite(&s);
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s).keys(), before.keys(), "what came after it");
}

#[test]
fn an_orderly_shutdown_loses_nothing() {
    let mut s = server!("appendonly yes");
    write_every_state(&s);
    let before = Snapshot::of(&s);
    s.restart();
    assert_eq!(Snapshot::of(&s), before);
}

#[test]
fn a_loaded_snapshot_holds_everything() {
    let mut s = server!();
    write_every_state(&s);
    s.ok("SAVE");
    let before = Snapshot::of(&s);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), before);
}

#[test]
fn several_databases_are_kept_apart() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("JOBQ.PUSH q p ID zero");
    s.ok("SELECT 7");
    s.ok("JOBQ.PUSH q p ID seven");
    s.ok("SELECT 0");
    let before = s.ok("WORKGATE.DIGEST");
    s.crash_and_restart();
    s.ok("WORKGATE.DIGEST").is(&before);
    s.ok("JOBQ.POP q COUNT 9").at(0).at(0).clone().is("zero");
    s.ok("SELECT 7");
    s.ok("JOBQ.POP q COUNT 9").at(0).at(0).clone().is("seven");
}

#[test]
fn every_state_goes_on_after_a_replay() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("RATELIMIT.CHECK u 3/1h COST 2");
    let claim = s.ok("IDEMP.CLAIM k LEASE 1h").at(2).int();
    s.ok("JOBQ.PUSH q p ID a");
    let job = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok("JOBQ.PUSH q p ID b DELAY 300ms");
    let fill = s.ok("CACHE.GETSET c LEASE 1h").at(2).int();
    s.crash_and_restart();
    s.ok("RATELIMIT.CHECK u 3/1h COST 2").at(0).clone().is(0);
    s.ok(format!("IDEMP.COMPLETE k {claim} r")).is(status("OK"));
    s.ok(format!("JOBQ.ACK q a {job}")).is(status("OK"));
    s.ok(format!("CACHE.SET c v TOKEN {fill} TTL 1h")).is(1);
    // Its delay may have passed while the server started.
    let late = s.asks("JOBQ.POP q BLOCK 1m").reply();
    late.at(0).at(0).clone().is("b");
    assert!(late.at(0).at(1).int() > fill.max(job).max(claim), "tokens rise over a restart");
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
}

#[test]
fn an_expired_lease_is_noticed_after_a_replay() {
    let mut s = server!("appendonly yes", "appendfsync always");
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q LEASE 1ms").at(0).at(1).int();
    s.ok("IDEMP.CLAIM k LEASE 1ms");
    s.crash_and_restart();
    let again = s.ok("JOBQ.POP q");
    again.at(0).at(0).clone().is("a");
    assert!(again.at(0).at(1).int() > t);
    s.ok("IDEMP.CLAIM k").at(4).clone().is(2);
}

/// Changes to every key that a loaded value must take as well as the original would.
#[track_caller]
fn write_more(s: &Server) {
    s.ok("RATELIMIT.CHECK limit:window 10/1h COST 2");
    s.ok("RATELIMIT.CHECK limit:bucket 10/1h:burst=30 COST 2");
    s.ok("RATELIMIT.CHECK limit:several ai=10/1h 100/1d:bucket b:c=7/2h");
    s.ok("RATELIMIT.CHECK limit:large 100000/7d COST 3");
    s.ok("IDEMP.CLAIM claim:released LEASE 1h PAYLOAD p").at(0).clone().is("CLAIMED");
    let t = s.ok("IDEMP.CLAIM claim:held OWNER me FINGERPRINT f").at(2).int();
    s.ok(format!("IDEMP.COMPLETE claim:held {t} r"));
    let jobs = s.ok("JOBQ.POP jobs COUNT 5 LEASE 1h");
    let job = jobs.at(0);
    s.ok(crate::support::cmd!["JOBQ.ACK", "jobs", job.at(0).bytes(), job.at(1).int()]);
    s.pipeline(vec!["JOBQ.PUSH jobs:large again"; 200]);
    s.ok("JOBQ.POP jobs:large COUNT 300 LEASE 1h");
    s.ok("CACHE.SET cache:lease v TTL 1h").is(1);
}
