//! CACHE.SET over one of the server's own strings reaches replicas and the append-only file.

use crate::support::{Snapshot, server, status};

#[test]
fn an_entry_stored_over_a_plain_string_is_replicated_and_replayed() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("SET k plain EX 100");
    s.ok("CACHE.SET k fresh TTL 1h").is(1);
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    drop(r);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
    s.ok("CACHE.GETSET k").at(0).clone().is("HIT");
    s.ok("CACHE.GET k").is("fresh");
    s.ok("TYPE k").is(status("workgateC"));
}

#[test]
fn a_lease_is_never_granted_over_a_plain_string() {
    let s = server!();
    s.ok("SET k plain");
    s.ok("CACHE.SET k x TOKEN 5").is(0);
    s.ok("GET k").is("plain");
    s.ok("MULTI");
    s.ok("CACHE.GETSET k");
    s.ok("EXEC").at(0).at(0).clone().is("HIT");
    s.ok("OBJECT ENCODING k").is("embstr");
}
