//! A server whose own commands were renamed: the module needs none of them.

use crate::support::{Cluster, Reply, Server, nil, server, status, within};

/// Those that the module might ask the server for, and their names here.
const RENAMED: [&str; 12] = [
    "rename-command GET x-get",
    "rename-command SET x-set",
    "rename-command DEL x-del",
    "rename-command UNLINK x-unlink",
    "rename-command EXPIRE x-expire",
    "rename-command PEXPIRE x-pexpire",
    "rename-command EXPIREAT x-expireat",
    "rename-command PEXPIREAT x-pexpireat",
    "rename-command PERSIST x-persist",
    "rename-command EXISTS x-exists",
    "rename-command TTL x-ttl",
    "rename-command SCAN x-scan",
];

fn with_strings(options: &[&str]) -> Server {
    let s = Server::start(&[&RENAMED[..], options].concat());
    s.refuses("GET k", "ERR unknown command");
    for (key, value) in [("number", "12345"), ("short", "value"), ("long", &"v".repeat(5_000))] {
        s.ok(format!("x-set {key} {value}"));
    }
    s
}

#[test]
fn strings_are_read_deleted_and_kept_longer_without_the_commands_for_it() {
    let mut s = with_strings(&["appendonly yes", "appendfsync always"]);
    let r = s.replica(&RENAMED);
    for (key, value) in [("number", "12345"), ("short", "value"), ("long", &"v".repeat(5_000))] {
        s.ok(format!("CACHE.GET {key}")).is(value);
        r.ok(format!("CACHE.GET {key}")).is(value);
        assert_eq!(s.ok(format!("CACHE.GETSET {key}")).at(1).text(), value);
    }
    s.ok("CACHE.GETSET short TOUCH 1h").at(3).clone().is(3_600_000);
    s.ok("PTTL short").is(within(3_500_000..=3_600_000));
    s.ok("CACHE.EXPIRE number long none").is(2);
    s.ok("x-exists number long").is(0);
    s.ok("CACHE.GET number").is(nil());
    let expiry = s.ok("PEXPIRETIME short");
    s.in_step_with(&r);
    r.ok("PEXPIRETIME short").is(expiry.int());
    r.ok("DBSIZE").is(1);
    assert_eq!(r.ok("WORKGATE.DIGEST"), s.ok("WORKGATE.DIGEST"));
    drop(r);
    s.crash_and_restart();
    s.ok("PEXPIRETIME short").is(expiry.int());
    s.ok("DBSIZE").is(1);
    s.ok("CACHE.GET short").is("value");
}

#[test]
fn each_family_works_and_waits_without_them() {
    let s = with_strings(&[]);
    let pop = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok("JOBQ.PUSH q p ID a");
    assert_eq!(pop.reply().at(0).at(0).text(), "a");
    let token = s.ok("IDEMP.CLAIM i").at(2).int();
    let waiter = s.waits("IDEMP.CLAIM i BLOCK 1m");
    s.ok(format!("IDEMP.COMPLETE i {token} r")).is(status("OK"));
    assert_eq!(waiter.reply().at(0).text(), "DONE");
    s.ok("RATELIMIT.CHECK u 1/1h").at(0).clone().is(1);
    s.ok("RATELIMIT.RESET u").is(1);
    s.ok("PTTL u").is(-2);
    let fill = s.ok("CACHE.GETSET c").at(2).int();
    s.ok(format!("CACHE.SET c v TTL 1h TOKEN {fill}")).is(1);
    s.ok("CACHE.EXPIRE c").is(1);
    s.ok("PTTL c").is(-2);
    s.ok("JOBQ.QUEUES").at(1).clone().is(crate::support::list!["q"]);
}

#[test]
fn a_node_of_a_cluster_knows_its_keys_without_them() {
    let cluster = Cluster::start_with(&["rename-command EXISTS x-exists", "rename-command TYPE x-type"]);
    for key in cluster.keys("wait:") {
        let node = cluster.owner(&key);
        let waiter = node.waits(format!("JOBQ.POP {key} BLOCK 1m"));
        node.ok(format!("JOBQ.PUSH {key} p ID a"));
        assert_eq!(waiter.reply().at(0).at(0).text(), "a");
        let token = node.ok(format!("IDEMP.CLAIM {key}:i{{{key}}}")).at(2).clone();
        assert!(matches!(token, Reply::Int(_)));
    }
}

#[test]
fn a_string_that_cache_expire_deletes_tells_watch_and_clients_that_cache() {
    let s = server!();
    s.ok("SET plain v");
    let c = s.client();
    c.ok("WATCH plain");
    s.ok("CACHE.EXPIRE plain").is(1);
    s.ok("CACHE.EXPIRE plain").is(0);
    c.ok("MULTI");
    c.ok("PING");
    c.ok("EXEC").is(nil());
    s.ok("SET plain v");
    c.ok("WATCH plain");
    s.ok("CACHE.GETSET plain TOUCH 1h");
    c.ok("MULTI");
    c.ok("PING");
    c.ok("EXEC").is(nil());
}
