//! What a server does outside of a client's command, it does only while it would take a client's
//! write: each reason to refuse one, with each thing that time makes due.

use std::fs;

use crate::support::{Cluster, Preload, Reply, Server, Waiter, cmd, eventually, figure, server, status};

/// Calls that come before, and one that waits until time lets it be granted. `{}` stands for the
/// hash tag of all keys.
const WAITS: [(&[&str], &str); 8] = [
    (&["IDEMP.CLAIM {}claim LEASE 1h"], "IDEMP.CLAIM {}claim LEASE 1d BLOCK 1d"),
    (&["CACHE.GETSET {}fill LEASE 1h"], "CACHE.GETSET {}fill LEASE 5d BLOCK 1d"),
    (
        &["RATELIMIT.ACQUIRE {}places me MAX 1 LEASE 1h"],
        "RATELIMIT.ACQUIRE {}places you MAX 1 LEASE 5d BLOCK 1d",
    ),
    (&["RATELIMIT.CHECK {}limit 1/1h"], "RATELIMIT.CHECK {}limit 1/1h BLOCK 1d"),
    (&["JOBQ.PUSH {}delayed p DELAY 1h"], "JOBQ.POP {}delayed LEASE 5d BLOCK 1d"),
    (&["JOBQ.PUSH {}stalled p", "JOBQ.POP {}stalled LEASE 1h"], "JOBQ.POP {}stalled LEASE 5d BLOCK 1d"),
    (
        &["JOBQ.MPUSH {}rated 2 p p", "JOBQ.POP {}rated LEASE 5d RATE {}shared 1 1/1h"],
        "JOBQ.POP {}rated LEASE 5d RATE {}shared 1 1/1h BLOCK 1d",
    ),
    // Of two queues, the job is in the second.
    (&["JOBQ.PUSH {}second p DELAY 1h"], "JOBQ.POP {}first ALSO 1 {}second LEASE 5d BLOCK 1d"),
];

/// Calls that wait for what others do to a job, which only reads.
const READS: [(&[&str], &str); 2] = [
    (&["JOBQ.PUSH {}held p ID a", "JOBQ.POP {}held LEASE 5d"], "JOBQ.RESULT {}held a BLOCK 1d"),
    (&["JOBQ.PUSH {}told p"], "JOBQ.EVENTS {}told LAST BLOCK 1d"),
];

/// Behind all of the times above.
const LATER_MS: i64 = 3 * 3_600_000;

fn begin(s: &Server, tag: &str, rows: &[(&[&str], &str)]) -> Vec<(String, Waiter)> {
    let waits = rows.iter().map(|(before, call)| {
        before.iter().for_each(|call| drop(s.ok(call.replace("{}", tag))));
        let mut call = call.replace("{}", tag);
        if call.contains("LAST") {
            let last = s.ok(format!("JOBQ.STATS {tag}told")).field("last_event").int();
            call = call.replace("LAST", &last.to_string());
        }
        let waiter = s.waits(call.as_str());
        (call, waiter)
    });
    waits.collect()
}

/// All of them, and a schedule with a run that is due within the hour.
fn begin_all(s: &Server, tag: &str) -> Vec<(String, Waiter)> {
    s.ok(cmd!["JOBQ.CRON", "SET", format!("{tag}cron"), "s", "@hourly", "p", "CATCHUP", "one"]);
    begin(s, tag, &WAITS)
}

/// The time of all has come, and the server has had its chances to do something about it.
fn time_passes(s: &Server) {
    s.ok(format!("WORKGATE.TEST CLOCK {LATER_MS}"));
    s.goes_on(300);
}

#[track_caller]
fn no_run_is_made(s: &Server, tag: &str) {
    let stats = s.call(format!("JOBQ.STATS {tag}cron"));
    assert!(stats.is_error() || stats.field("pushed").int() == 0, "{stats:?}");
}

#[track_caller]
fn is_granted(call: &str, reply: &Reply) {
    let first = reply.items().first().unwrap_or_else(|| panic!("{call}: {reply:?}"));
    let granted = match first {
        Reply::Int(number) => *number == 1,
        Reply::Array(job) => job.len() > 2,
        word => ["CLAIMED", "FILL"].contains(&&word.text()[..]),
    };
    assert!(granted, "{call}: {reply:?}");
}

/// Nothing of it happens from `refuse` to `allow`, and all of it afterwards: says so as a figure.
fn nothing_happens_until(s: &Server, refuse: impl Fn(), allow: impl Fn(), error: Option<&str>) -> String {
    let waits = begin_all(s, "");
    refuse();
    if let Some(error) = error {
        s.refuses("IDEMP.CLAIM other", error);
    }
    time_passes(s);
    waits.iter().for_each(|(_, waiter)| waiter.still_waits(s));
    no_run_is_made(s, "");
    allow();
    for (call, waiter) in &waits {
        is_granted(call, &waiter.reply());
    }
    eventually("the run is made", || s.ok("JOBQ.STATS cron").field("pushed").int() == 1);
    s.lives();
    let all = WAITS.len() + 1;
    format!("{all} kinds of grants were due: 0 made before writes were taken again, {all} after")
}

#[test]
fn a_primary_without_its_replicas_does_nothing_that_is_due() {
    let s = server!();
    let set = |replicas: u32| drop(s.ok(format!("CONFIG SET min-replicas-to-write {replicas}")));
    figure(nothing_happens_until(&s, || set(1), || set(0), Some("NOREPLICAS")));
}

#[test]
fn a_primary_that_cannot_save_does_nothing_that_is_due() {
    let s = server!("save 3600 1000000");
    let target = s.directory().join("dump.rdb");
    let refuse = || {
        // A folder in the place of the file: the save fails when it renames.
        fs::create_dir_all(target.join("full")).expect("a folder");
        s.ok("BGSAVE");
        eventually("the save has failed", || s.info("rdb_last_bgsave_status") == "err");
    };
    let allow = || drop(s.ok("CONFIG SET stop-writes-on-bgsave-error no"));
    figure(nothing_happens_until(&s, refuse, allow, Some("MISCONF")));
}

#[test]
fn a_primary_whose_append_only_file_has_no_room_does_nothing_that_is_due() {
    let Some(preload) = Preload::build() else { return };
    let own = preload.options();
    let s = server!(own[0].as_str(), own[1].as_str(), "appendonly yes", "appendfsync everysec");
    let refuse = || {
        preload.disk_is_full(true);
        eventually("the write has failed", || s.call("IDEMP.SEEN s 1h x y z").is_error());
    };
    figure(nothing_happens_until(&s, refuse, || preload.disk_is_full(false), Some("MISCONF")));
}

#[test]
fn a_primary_whose_writes_are_paused_does_nothing_that_is_due() {
    let s = server!();
    let r = s.replica(&[]);
    let refuse = || drop(s.ok("CLIENT PAUSE 100000 WRITE"));
    let told = nothing_happens_until(&s, refuse, || drop(s.ok("CLIENT UNPAUSE")), None);
    s.in_step_with(&r);
    s.ok("WORKGATE.DIGEST").is(r.ok("WORKGATE.DIGEST"));
    figure(told);
}

#[test]
fn a_primary_that_becomes_a_replica_does_nothing_that_is_due() {
    let primary = server!();
    let s = server!();
    let mut waits = begin_all(&s, "");
    waits.extend(begin(&s, "", &READS));
    s.ok("WORKGATE.TEST CLOCK 0");
    // In one step, so that nothing is granted between the two.
    let moved = format!("WORKGATE.TEST CLOCK {LATER_MS}");
    s.transaction([format!("REPLICAOF 127.0.0.1 {}", primary.port()), moved]);
    for (call, waiter) in &waits {
        let reply = waiter.reply();
        assert!(reply.is_error() && reply.text().starts_with("UNBLOCKED"), "{call}: {reply:?}");
    }
    eventually("it is in step", || s.info("master_link_status") == "up");
    s.goes_on(100);
    assert_eq!(s.ok("WORKGATE.DIGEST"), primary.ok("WORKGATE.DIGEST"));
    figure(format!("{} kinds of clients that waited were told so, nothing was granted", waits.len()));
}

#[test]
fn who_waits_at_keys_that_move_to_another_node_is_sent_there_and_nothing_is_decided_meanwhile() {
    let cluster = Cluster::start();
    let (source, target) = (&cluster.nodes[0], &cluster.nodes[1]);
    let tag = tag_of(source);
    let slot = source.ok(format!("CLUSTER KEYSLOT {tag}")).int();
    let [from, to] = [source, target].map(|node| node.ok("CLUSTER MYID").text());
    let mut waits = begin_all(source, &tag);
    waits.extend(begin(source, &tag, &READS));
    let token = source.ok(format!("IDEMP.CLAIM {tag}mine LEASE 1d")).at(2).int();
    waits.push(("the claim".to_owned(), source.waits(format!("IDEMP.CLAIM {tag}mine BLOCK 1d"))));
    target.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    source.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    loop {
        let keys = source.ok(format!("CLUSTER GETKEYSINSLOT {slot} 100"));
        let Some(key) = keys.items().first() else { break };
        source.ok(format!("MIGRATE 127.0.0.1 {} {} 0 5000", target.port(), key.text())).is(status("OK"));
    }
    // The time of all comes while no node can decide.
    target.ok(format!("WORKGATE.TEST CLOCK {LATER_MS}"));
    time_passes(source);
    for (_, waiter) in &waits {
        waiter.still_waits(source);
    }
    source.ok("DBSIZE").is(0);
    target.ok("ASKING");
    target.ok(format!("JOBQ.STATS {tag}cron")).field("pushed").clone().is(0);
    for node in [target, source] {
        node.ok(format!("CLUSTER SETSLOT {slot} NODE {to}"));
    }
    for (call, waiter) in &waits {
        let reply = waiter.reply();
        assert!(reply.is_error() && reply.text().starts_with("MOVED"), "{call}: {reply:?}");
    }
    target.ok(format!("IDEMP.COMPLETE {tag}mine {token} result")).is(status("OK"));
    eventually("the new owner makes the run", || {
        target.ok(format!("JOBQ.STATS {tag}cron")).field("pushed").int() == 1
    });
    source.lives();
    target.lives();
    figure(format!(
        "{} kinds of clients that waited were sent on, nothing was granted meanwhile",
        waits.len()
    ));
}

/// A hash tag of the first node of three.
fn tag_of(node: &Server) -> String {
    let mut tags = (0..).map(|number| format!("{{t{number}}}"));
    tags.find(|tag| node.ok(format!("CLUSTER KEYSLOT {tag}")).int() <= 5460).expect("a tag")
}

#[test]
fn a_node_of_a_cluster_that_is_down_does_nothing_that_is_due() {
    for reads in ["no", "yes"] {
        let options = [&format!("cluster-allow-reads-when-down {reads}"), "cluster-node-timeout 1000"];
        let mut cluster = Cluster::start_with(&options);
        let tag = tag_of(&cluster.nodes[0]);
        let waits = begin_all(&cluster.nodes[0], &tag);
        cluster.nodes[1].kill();
        cluster.nodes[2].kill();
        let s = &cluster.nodes[0];
        eventually("the cluster is down", || s.ok("CLUSTER INFO").text().contains("cluster_state:fail"));
        s.refuses(format!("IDEMP.CLAIM {tag}other"), "CLUSTERDOWN");
        time_passes(s);
        // The server itself ends such waits after a while.
        for (call, waiter) in &waits {
            let reply = waiter.reply();
            assert!(reply.is_error() && reply.text().starts_with("CLUSTERDOWN"), "{call}: {reply:?}");
        }
        s.goes_on(300);
        no_run_is_made(s, &tag);
        cluster.nodes[1].revive();
        cluster.nodes[2].revive();
        let s = &cluster.nodes[0];
        eventually("the run is made when the cluster is there again", || {
            let stats = s.call(format!("JOBQ.STATS {tag}cron"));
            !stats.is_error() && stats.field("pushed").int() == 1
        });
        s.lives();
    }
    figure(format!(
        "{} kinds of grants were due, 2 settings of reads: 0 made while the cluster was down",
        WAITS.len() + 1
    ));
}
