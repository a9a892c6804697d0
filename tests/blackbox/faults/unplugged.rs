//! Two network namespaces whose cable is unplugged under load: the kernels acknowledge nothing.

use crate::support::{Load, Server, Snapshot, Wire, eventually, figure, scaled, server};

/// A primary, and a replica that reaches it by the cable.
fn apart(wire: &mut Wire) -> (Server, Server, String) {
    let s = server!(
        wire.bind().as_str(),
        "protected-mode no",
        "repl-timeout 3",
        "repl-ping-replica-period 1",
        "repl-backlog-size 10mb"
    );
    let address = wire.lead_to(s.port());
    let r = s.replica(&["repl-timeout 3"]);
    r.ok(format!("REPLICAOF {address}"));
    eventually("the link is up", || r.info("master_link_status") == "up");
    s.in_step_with(&r);
    (s, r, address)
}

#[track_caller]
fn equal(primary: &Server, replica: &Server) {
    eventually("both hold the same", || {
        primary.in_step_with(replica);
        let same = Snapshot::of(primary) == Snapshot::of(replica);
        primary.in_step_with(replica);
        same
    });
    primary.lives();
    replica.lives();
}

#[test]
fn a_cable_that_is_unplugged_under_load_ends_in_equal_copies() {
    let Some(mut wire) = Wire::lay() else { return };
    let (s, r, _) = apart(&mut wire);
    let load = Load::start(&[s.port()], 3, "c");
    let (mut short, mut long) = (0, 0);
    for nth in 0..scaled(4) {
        load.goes_on(100);
        wire.unplug();
        load.goes_on(100);
        if nth % 2 == 0 {
            // The connection outlasts it: what was not acknowledged is sent again.
            short += 1;
        } else {
            eventually("the replica misses its primary", || r.info("master_link_status") == "down");
            long += 1;
        }
        wire.plug_in();
        eventually("the link is up", || r.info("master_link_status") == "up");
    }
    let told = load.stop();
    told.each_token_came_once();
    assert!(told.lost(&[s.port()]).is_empty());
    equal(&s, &r);
    figure(format!(
        "{short} short and {long} long cuts between network namespaces under {} answers: both copies equal",
        told.facts.len()
    ));
}

#[test]
fn a_primary_behind_an_unplugged_cable_follows_the_new_one_and_no_token_came_twice() {
    let Some(mut wire) = Wire::lay() else { return };
    let (s, r, _) = apart(&mut wire);
    let old = Load::start(&[s.port()], 3, "before");
    old.goes_on(100);
    wire.unplug();
    old.goes_on(100);
    eventually("the replica misses its primary", || r.info("master_link_status") == "down");
    r.ok("REPLICAOF NO ONE");
    let new = Load::start(&[r.port()], 3, "after");
    old.goes_on(100);
    new.goes_on(100);
    let mut told = old.stop();
    let after = new.stop();
    assert!(after.lost(&[r.port()]).is_empty(), "what the new primary answered stays");
    told.join(after);
    told.each_token_came_once();
    wire.plug_in();
    s.ok(format!("REPLICAOF 127.0.0.1 {}", r.port()));
    equal(&r, &s);
    let lost = told.lost(&[r.port()]).len();
    figure(format!(
        "{} answers of both sides, {lost} of the unplugged one lost, no token twice",
        told.facts.len()
    ));
}
