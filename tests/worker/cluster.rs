//! Shards over three primaries.

use std::collections::BTreeSet;

use crate::process::Worker;
use crate::support::{Cluster, cmd, eventually};

const SHARDS: usize = 6;

fn shard(number: usize) -> String {
    format!("q:{{{number}}}")
}

fn push(cluster: &Cluster, number: usize, jobs: std::ops::Range<usize>) {
    let key = shard(number);
    cluster
        .owner(&key)
        .pipeline(jobs.map(|id| cmd!["JOBQ.PUSH", &key, "p", "ID", format!("{id}")]))
        .iter()
        .for_each(|reply| assert!(!reply.is_error(), "{reply:?}"));
}

fn stat(cluster: &Cluster, number: usize, field: &str) -> i64 {
    let key = shard(number);
    cluster.owner(&key).ok(format!("JOBQ.STATS {key}")).field(field).int()
}

#[test]
fn every_job_of_every_shard_runs_once_wherever_it_lies() {
    let cluster = Cluster::start();
    let owners: BTreeSet<u16> = (0..SHARDS).map(|number| cluster.owner(&shard(number)).port()).collect();
    assert_eq!(owners.len(), 3, "shards on every node");
    (0..SHARDS).for_each(|number| push(&cluster, number, 0..8));
    // Fewer slots than shards, and as many.
    for (round, concurrency) in [2, 6].into_iter().enumerate() {
        let flags = format!("--queue q --shards {SHARDS} --concurrency {concurrency} --until-empty");
        let mut w = Worker::start(&cluster.nodes[0].url(), &flags, "true");
        assert!(w.ends(), "{}", w.log());
        let ran = w.ran();
        assert_eq!(ran.len(), SHARDS * 8);
        assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), SHARDS * 8, "each once");
        let acked = (0..SHARDS).map(|number| stat(&cluster, number, "acked")).collect::<Vec<_>>();
        assert_eq!(acked, [8 * (round as i64 + 1); SHARDS]);
        (0..SHARDS).for_each(|number| push(&cluster, number, 100..108));
    }
}

#[test]
fn a_shard_that_is_full_does_not_keep_a_worker_from_the_others() {
    let cluster = Cluster::start();
    push(&cluster, 0, 0..60);
    (1..SHARDS).for_each(|number| push(&cluster, number, 0..2));
    let flags = format!("--queue q --shards {SHARDS} --concurrency 1 --until-empty");
    let mut w = Worker::start(&cluster.nodes[1].url(), &flags, "true");
    assert!(w.ends(), "{}", w.log());
    let ran = w.ran();
    let last = ran.iter().rposition(|line| !line.starts_with("q:{0}")).expect("they ran");
    assert!(last <= 2 * SHARDS + 2, "taken in turn: {last}");
}

#[test]
fn idle_shards_are_waited_at_and_not_polled() {
    let cluster = Cluster::start();
    let flags = format!("--queue q --shards {SHARDS} --concurrency {SHARDS}");
    let w = Worker::start(&cluster.nodes[0].url(), &flags, "true");
    let blocked = || {
        cluster.nodes.iter().map(|node| node.info("blocked_clients").parse::<usize>().unwrap()).sum::<usize>()
    };
    eventually("every shard is waited at", || blocked() == SHARDS);
    for number in (0..SHARDS).rev() {
        push(&cluster, number, 0..3);
    }
    eventually("all are run", || w.ran().len() == SHARDS * 3);
    eventually("every shard is waited at again", || blocked() == SHARDS);
}

#[test]
fn a_worker_follows_a_shard_to_its_new_node() {
    let cluster = Cluster::start();
    let key = shard(0);
    let from = cluster.owner(&key);
    let to = cluster.nodes.iter().find(|node| node.port() != from.port()).expect("another node");
    let w = Worker::start(&from.url(), "--queue q --shards 2 --concurrency 2", "sleep 0.5");
    push(&cluster, 0, 0..1);
    // While its handler runs, so that its ACK has to find the new node too.
    eventually("the first is running", || w.ran().len() == 1);
    let slot = from.ok(format!("CLUSTER KEYSLOT {key}")).int();
    let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
    to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
    from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
    from.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()));
    for node in [to, from] {
        node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
    }
    to.ok(format!("JOBQ.PUSH {key} p ID later"));
    eventually("both are done", || to.ok(format!("JOBQ.STATS {key}")).field("acked").int() == 2);
    assert_eq!(w.ran(), [format!("{key} 0"), format!("{key} later")]);
}

#[test]
fn a_node_that_is_away_does_not_keep_a_worker_from_the_others() {
    let mut cluster = Cluster::start();
    let flags = format!("--queue q --shards {SHARDS} --concurrency {SHARDS}");
    let w = Worker::start(&cluster.nodes[0].url(), &flags, "true");
    (0..SHARDS).for_each(|number| push(&cluster, number, 0..1));
    eventually("the worker has found all shards", || w.ran().len() == SHARDS);
    let lost = cluster.nodes[2].port();
    let (away, there): (Vec<usize>, Vec<usize>) =
        (0..SHARDS).partition(|number| cluster.owner(&shard(*number)).port() == lost);
    cluster.nodes[2].kill();
    there.iter().for_each(|number| push(&cluster, *number, 1..2));
    eventually("the others go on", || w.ran().len() == SHARDS + there.len());
    cluster.nodes[2].revive();
    eventually("the node is back", || {
        cluster.nodes.iter().all(|node| node.ok("CLUSTER INFO").text().contains("cluster_state:ok"))
    });
    away.iter().for_each(|number| push(&cluster, *number, 2..3));
    eventually("its shards are served again", || w.ran().len() == 2 * SHARDS);
}
