//! The harness itself, on plain commands of the server: what it promises to the other tests.

#[path = "../support/mod.rs"]
mod support;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::{Dump, Reply, Server, Untouched, cmd, eventually, list, nil, status, token, within};

#[test]
fn replies_of_every_type_are_told_apart() {
    let s = Server::plain(&[]);
    s.ok("SET greeting hello").is(status("OK"));
    s.ok("GET greeting").is("hello");
    s.ok("GET nothing").is(nil());
    s.ok("RPUSH l a b").is(2);
    s.ok("LRANGE l 0 -1").is(list!["a", "b"]);
    s.ok("EVAL return{1,{'x'}} 0").is(list![within(0..=1), list!["x"]]);
    s.ok("HSET h field value");
    s.client3().ok("HGETALL h").field("field").clone().is("value");
    s.ok("HGETALL h").field("field").clone().is("value");
}

#[test]
fn keys_and_values_may_hold_any_byte() {
    let s = Server::plain(&[]);
    s.ok(cmd!["SET", b"k\0\xff\r\n", b"\0\xfe"]);
    s.ok(cmd!["GET", b"k\0\xff\r\n"]).is(b"\0\xfe");
}

#[test]
fn a_check_that_does_not_fit_fails() {
    let fails = |want: crate::support::Want| {
        let reply = Reply::Array(vec![Reply::Int(1), Reply::Bulk(b"a".to_vec())]);
        catch_unwind(AssertUnwindSafe(|| reply.is(want))).is_err()
    };
    assert!(!fails(list![token(), "a"]));
    assert!(fails(list![token(), status("a")]));
    assert!(fails(list![within(2..=3), "a"]));
    assert!(fails(list![1]));
    assert!(fails(nil()));
}

#[test]
fn what_is_in_the_append_only_file_survives_kill_9() {
    let mut s = Server::plain(&["appendonly yes", "appendfsync always"]);
    s.ok("SET k v");
    s.crash_and_restart();
    s.ok("GET k").is("v");
    s.restart();
    s.ok("GET k").is("v");
}

#[test]
fn a_server_that_dies_fails_its_test() {
    let died = catch_unwind(|| {
        let s = Server::plain(&[]);
        s.send("DEBUG SEGFAULT");
        eventually("the connection is closed", || {
            s.try_read(Duration::from_millis(10)).is_err_and(|e| e.kind() == ErrorKind::UnexpectedEof)
        });
    });
    assert!(died.is_err());
}

#[test]
fn a_blocked_client_is_seen_and_answered() {
    let s = Server::plain(&[]);
    let w = s.waits("BLPOP l 0");
    w.still_waits(&s);
    s.ok("RPUSH l x");
    w.reply().is(list!["l", "x"]);
}

#[test]
fn the_stream_shows_what_is_replicated() {
    let s = Server::plain(&[]);
    let stream = s.stream();
    s.ok("SET k v");
    s.ok("GET k");
    assert_eq!(stream.taken(&s), ["SET k v"]);
    assert!(stream.taken(&s).is_empty());
}

#[test]
fn a_replica_in_step_holds_what_its_primary_holds() {
    let s = Server::plain(&[]);
    s.ok("SET before v");
    let r = s.replica(&[]);
    r.ok("GET before").is("v");
    s.ok("SET after v");
    s.in_step_with(&r);
    r.ok("GET after").is("v");
    r.refuses("SET k v", "READONLY");
}

#[test]
fn a_change_of_any_kind_is_not_untouched() {
    let s = Server::plain(&[]);
    s.ok("SET k v");
    let untouched = Untouched::on(&s);
    untouched.during("k", || s.ok("GET k"));
    for change in ["SET k w", "PEXPIRE k 100000", "SET other x", "SET k w", "LPUSH l a"] {
        let seen = catch_unwind(AssertUnwindSafe(|| untouched.during("k", || s.ok(change))));
        assert!(seen.is_err(), "{change}");
    }
}

#[test]
fn a_dump_can_be_taken_apart_and_sealed_again() {
    let s = Server::plain(&[]);
    s.ok("SET k hello");
    let payload = s.ok("DUMP k").bytes().to_vec();
    let mut dump = Dump::of(&payload);
    assert_eq!(dump.sealed(), payload);
    let end = dump.body.len() - 1;
    dump.body[end] = b'!';
    s.ok(cmd!["RESTORE", "l", 0, dump.sealed()]);
    s.ok("GET l").is("hell!");
}
