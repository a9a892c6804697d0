//! DUMP and RESTORE, COPY, MEMORY USAGE and the like, on keys of every family.

use crate::support::{Server, any, cmd, list, nil, server, status, token, write_every_state};

/// The names of all keys.
fn keys(s: &Server) -> Vec<Vec<u8>> {
    s.ok("KEYS *").items().iter().map(|key| key.bytes().to_vec()).collect()
}

#[test]
fn a_restored_dump_has_the_same_digest_and_expiry() {
    let s = server!();
    write_every_state(&s);
    for key in keys(&s) {
        let shown = key.escape_ascii().to_string();
        let digest = s.ok(cmd!["WORKGATE.DIGEST", &key]);
        let expiry = s.ok(cmd!["PEXPIRETIME", &key]);
        let dump = s.ok(cmd!["DUMP", &key]).bytes().to_vec();
        s.ok(cmd!["DEL", &key]);
        let at = expiry.int().max(0);
        s.ok(cmd!["RESTORE", &key, at, &dump, "ABSTTL"]);
        assert_eq!(s.ok(cmd!["WORKGATE.DIGEST", &key]), digest, "{shown}");
        assert_eq!(s.ok(cmd!["PEXPIRETIME", &key]), expiry, "{shown}");
        assert_eq!(s.ok(cmd!["DUMP", &key]).bytes(), dump, "{shown}");
        // The digest of a key is that of what it holds, whatever its name.
        s.ok(cmd!["RESTORE", "elsewhere", at, &dump, "ABSTTL"]);
        assert_eq!(s.ok("WORKGATE.DIGEST elsewhere"), digest, "{shown}");
        s.ok("DEL elsewhere");
    }
}

#[test]
fn a_key_may_move_to_another_server() {
    let (s, other) = (server!(), server!());
    write_every_state(&s);
    let job = s.ok("JOBQ.POP jobs LEASE 1h");
    for key in keys(&s) {
        let digest = s.ok(cmd!["WORKGATE.DIGEST", &key]);
        let expiry = s.ok(cmd!["PEXPIRETIME", &key]).int();
        s.ok(cmd!["MIGRATE", "127.0.0.1", i64::from(other.port()), &key, 0, 5_000]);
        // MIGRATE sends what is left of a TTL, so that the way there is added to it.
        if expiry > 0 {
            other.ok(cmd!["PEXPIREAT", &key, expiry]).is(1);
        }
        assert_eq!(other.ok(cmd!["WORKGATE.DIGEST", &key]), digest, "{}", key.escape_ascii());
    }
    s.ok("DBSIZE").is(0);
    // A live lease goes with the key.
    let (id, t) = (job.at(0).at(0).bytes(), job.at(0).at(1).int());
    other.ok(cmd!["JOBQ.ACK", "jobs", id, t]).is(status("OK"));
    assert!(other.ok("JOBQ.POP jobs").at(0).at(1).int() > t, "tokens rise over a migration");
}

#[test]
fn copy_leaves_live_leases_with_the_original() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
    s.ok("COPY q q2").is(1);
    // In the copy the job is ready for another; in the original it is as it was.
    s.ok("JOBQ.POP q2").at(0).clone().is(list![
        "a",
        token(),
        "p",
        1,
        any(),
        "q2",
        nil(),
        nil(),
        nil(),
        nil()
    ]);
    s.refuses(format!("JOBQ.ACK q2 a {t}"), "FENCED");
    s.ok("JOBQ.POP q").is(list![]);
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));

    let t = s.ok("IDEMP.CLAIM k LEASE 1h FINGERPRINT f").at(2).int();
    s.ok("COPY k k2").is(1);
    s.refuses(format!("IDEMP.COMPLETE k2 {t} r"), "FENCED");
    s.ok("IDEMP.CLAIM k2").at(0).clone().is("CLAIMED");
    s.ok(format!("IDEMP.COMPLETE k {t} r")).is(status("OK"));

    s.ok("CACHE.SET c v TTL 1ms GRACE 1h");
    s.goes_on(3);
    let t = s.ok("CACHE.GETSET c LEASE 1h").at(2).int();
    s.ok("COPY c c2").is(1);
    s.ok(format!("CACHE.SET c2 w TOKEN {t} TTL 1h")).is(0);
    s.ok("CACHE.GETSET c2").at(0).clone().is("REFRESH");
    s.ok(format!("CACHE.SET c w TOKEN {t} TTL 1h")).is(1);

    // Of a key that holds nothing but a lease there is nothing to copy.
    s.ok("CACHE.GETSET lease LEASE 1h");
    s.call("COPY lease lease2");
    s.ok("CACHE.GETSET lease2").at(0).clone().is("FILL");
}

#[test]
fn a_copy_of_what_holds_no_lease_is_equal() {
    let s = server!();
    write_every_state(&s);
    for key in [
        "limit:window",
        "limit:bucket",
        "limit:several",
        "limit:large",
        "claim:done",
        "cache:plain",
        "cache:ttl",
        "cache:large",
    ] {
        s.ok(format!("COPY {key} copy REPLACE")).is(1);
        assert_eq!(s.ok("WORKGATE.DIGEST copy"), s.ok(format!("WORKGATE.DIGEST {key}")), "{key}");
    }
}

#[test]
fn a_copy_and_its_original_go_separate_ways() {
    let s = server!();
    s.ok("RATELIMIT.CHECK u 10/1h");
    s.ok("COPY u v");
    s.ok("RATELIMIT.CHECK v 10/1h COST 5");
    s.ok("RATELIMIT.PEEK u 10/1h").at(2).clone().is(9);
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("COPY q r");
    s.ok("DEL q");
    s.ok("JOBQ.POP r").at(0).at(0).clone().is("a");
}

#[test]
fn the_server_may_ask_about_any_key() {
    let s = server!("maxmemory-policy allkeys-lru");
    // Without `maxmemory` nothing is ever evicted, so that a push need not refuse the policy.
    write_every_state(&s);
    for key in keys(&s) {
        let bytes = s.ok(cmd!["MEMORY", "USAGE", &key]).int();
        assert!((1..50_000_000).contains(&bytes), "{}: {bytes}", key.escape_ascii());
        s.ok(cmd!["OBJECT", "IDLETIME", &key]);
        s.ok(cmd!["OBJECT", "REFCOUNT", &key]).is(1);
        s.ok(cmd!["DEBUG", "OBJECT", &key]);
        s.ok(cmd!["TOUCH", &key]).is(1);
    }
    s.ok("CONFIG SET maxmemory-policy allkeys-lfu");
    for key in keys(&s) {
        s.ok(cmd!["OBJECT", "FREQ", &key]);
    }
    s.ok("MEMORY DOCTOR");
    s.lives();
}

#[test]
fn a_large_value_takes_more_memory_than_a_small_one() {
    let s = server!();
    s.ok("JOBQ.PUSH small p");
    s.pipeline(vec!["JOBQ.PUSH large 0123456789012345678901234567890123456789"; 1_000]);
    let usage = |key: &str| s.ok(format!("MEMORY USAGE {key}")).int();
    assert!(usage("large") > 40 * 1_000 + usage("small"));
    s.ok("CACHE.POLICY SET big COMPRESS 0");
    s.ok("CACHE.SET one v");
    s.ok(cmd!["CACHE.SET", "big", vec![b'x'; 100_000]]);
    assert!(usage("big") > usage("one") + 90_000);
}

#[test]
fn deleting_in_the_background_works_for_every_family() {
    let s = server!();
    write_every_state(&s);
    for key in keys(&s) {
        s.ok(cmd!["UNLINK", &key]).is(1);
    }
    write_every_state(&s);
    s.ok("FLUSHALL ASYNC");
    write_every_state(&s);
    s.ok("FLUSHALL SYNC");
    s.ok("DBSIZE").is(0);
    s.lives();
}

#[test]
fn an_expiry_set_from_outside_is_obeyed() {
    let s = server!();
    write_every_state(&s);
    for key in keys(&s) {
        s.ok(cmd!["PEXPIRE", &key, 20]);
    }
    crate::support::eventually("all are gone", || s.ok("DBSIZE").int() == 0);
}

#[test]
fn defragmentation_leaves_every_value_as_it_was() {
    let s = server!();
    write_every_state(&s);
    let before = s.ok("WORKGATE.DIGEST");
    // Not every build of the server can; those that can must not harm the values.
    if !s.call("CONFIG SET activedefrag yes").is_error() {
        s.ok("CONFIG SET active-defrag-ignore-bytes 1");
        s.goes_on(300);
    }
    s.ok("WORKGATE.DIGEST").is(&before);
    s.lives();
}
