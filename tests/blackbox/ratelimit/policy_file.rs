//! `workgate.policy-file`: policies that a server starts with.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::{Program, Server, eventually, figure, list, module, nil, server};

/// A file with this text, and the option that names it.
fn file(text: &str) -> (TempDir, PathBuf, String) {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join("policies");
    std::fs::write(&path, text).expect("the file is written");
    let option = format!("workgate.policy-file {}", path.display());
    (directory, path, option)
}

#[track_caller]
fn has(s: &Server, policy: &str, limits: &[&str]) {
    eventually("the file is carried out", || {
        let shown = s.ok(format!("RATELIMIT.POLICY GET {policy}"));
        let shown: Vec<String> = if shown == crate::support::Reply::Nil {
            vec![]
        } else {
            shown.items().iter().map(crate::support::Reply::text).collect()
        };
        shown == limits
    });
}

#[test]
fn a_server_starts_with_the_policies_of_its_file() {
    let (_directory, path, option) = file("# tiers\nRATELIMIT.POLICY SET ai/free ai=10/1m 100/1d\n");
    let s = server!(option.as_str());
    has(&s, "ai/free", &["ai=10/1m", "100/1d"]);
    s.ok("CONFIG GET workgate.policy-file").field("workgate.policy-file").clone().is(path.to_str().unwrap());
    assert!(s.call("CONFIG SET workgate.policy-file other").is_error(), "it is read once, at the start");
    let r = s.replica(&[]);
    r.ok("RATELIMIT.POLICY GET ai/free").is(list!["ai=10/1m", "100/1d"]);
}

#[test]
fn at_a_new_start_the_file_wins_over_what_was_saved_and_leaves_the_rest_alone() {
    let (_directory, path, option) = file("RATELIMIT.POLICY SET ai 10/1m\nRATELIMIT.POLICY SET same 1/1s");
    let mut s = server!(option.as_str(), "appendonly yes", "appendfsync always");
    has(&s, "same", &["1/1s"]);
    s.ok("RATELIMIT.POLICY SET ai 99/1m");
    s.ok("RATELIMIT.POLICY SET own 5/1m");
    s.ok("RATELIMIT.CHECK u @ai COST 4");
    std::fs::write(path, "RATELIMIT.POLICY SET ai 20/1m").expect("the file is written");
    s.crash_and_restart();
    has(&s, "ai", &["20/1m"]);
    has(&s, "own", &["5/1m"]);
    has(&s, "same", &["1/1s"]);
    s.ok("RATELIMIT.PEEK u @ai").at(2).clone().is(16);
}

#[test]
fn a_replica_leaves_its_file_alone() {
    let (_directory, _path, option) = file("RATELIMIT.POLICY SET file 1/1s");
    let s = server!();
    s.ok("RATELIMIT.POLICY SET primary 1/1s");
    let r = s.replica(&[option.as_str()]);
    r.ok("RATELIMIT.POLICY GET primary").is(list!["1/1s"]);
    r.ok("REPLICAOF NO ONE");
    r.ok("RATELIMIT.POLICY GET file").is(nil());
}

#[test]
fn a_wrong_or_missing_file_refuses_the_load() {
    let (directory, path, _) = file("\nRATELIMIT.POLICY SET ai 10");
    for (path, fault) in
        [(path, "line 2: invalid limit '10'"), (directory.path().join("none"), "No such file")]
    {
        let log = directory.path().join("log");
        let options = [
            ["--loadmodule".to_owned(), module().display().to_string()],
            ["--workgate.policy-file".to_owned(), path.display().to_string()],
            ["--port".to_owned(), "0".to_owned()],
            ["--unixsocket".to_owned(), directory.path().join("socket").display().to_string()],
        ];
        let mut process = Program::found().start(&options.concat(), &[], directory.path(), &log);
        eventually("the server gives up", || process.ended().is_some());
        let log = std::fs::read_to_string(log).expect("a log");
        assert!(log.contains(fault) && log.contains(&path.display().to_string()), "{log}");
    }
}

#[test]
fn a_replica_of_a_cluster_that_restarts_keeps_the_policies_of_its_primary() {
    let (_directory, _path, option) = file("RATELIMIT.POLICY SET tier 1/1m\nRATELIMIT.POLICY SET own 1/1m");
    let bus = || {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("cluster-port {}", socket.local_addr().expect("its address").port())
    };
    let (bus_of_primary, bus_of_replica) = (bus(), bus());
    let s = server!("cluster-enabled yes", bus_of_primary.as_str());
    let mut r = server!("cluster-enabled yes", bus_of_replica.as_str(), option.as_str());
    s.ok("CLUSTER ADDSLOTSRANGE 0 16383");
    let port = bus_of_primary.split(' ').next_back().expect("a port");
    r.ok(format!("CLUSTER MEET 127.0.0.1 {} {port}", s.port()));
    let id = s.ok("CLUSTER MYID").text();
    eventually("they know each other", || r.ok("CLUSTER NODES").text().contains(&id));
    eventually("it is a replica", || !r.call(format!("CLUSTER REPLICATE {id}")).is_error());
    s.ok("RATELIMIT.POLICY SET tier 5/1m");
    for _ in 0..3 {
        eventually("the replica is linked", || r.info("master_link_status") == "up");
        s.in_step_with(&r);
        r.ok("RATELIMIT.POLICY GET tier").is(list!["5/1m"]);
        r.ok("RATELIMIT.POLICY GET own").is(nil());
        r.restart();
        // Asked before and after it has found its primary.
        r.ok("RATELIMIT.POLICY GET own").is(nil());
    }
    figure("3 restarts of a replica of a cluster: it kept its primary's policies and left its file alone");
}
