//! TERM, failover and a slot that moves, all under load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::addresses::{free_port, sentinel};
use crate::chance::Chance;
use crate::handlers::{has, python};
use crate::process::Worker;
use crate::producer::push_all;
use crate::support::{Client, Cluster, eventually, figure, server};

const JOBS: usize = 300;

/// How many times each job was run, by lines `queue id`.
fn runs(lines: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut runs = BTreeMap::new();
    lines.into_iter().for_each(|line| *runs.entry(line).or_default() += 1);
    runs
}

/// Workers that are told to end while they have much to do: none of their jobs is lost or run
/// twice.
fn terms_lose_and_repeat_nothing(flags: &[&str], ran: impl Fn() -> Vec<String>) {
    let s = server!();
    let mut chance = Chance::new();
    let port = Arc::new(AtomicU16::new(s.port()));
    let producer = push_all(port, "q", JOBS, 0, Duration::from_millis(4));
    let flags = [&["--queue", "q"], flags].concat();
    for _ in 0..5 {
        let before = ran().len();
        let mut w = Worker::run(&s.url(), &flags);
        eventually("it runs some", || ran().len() > before + 5);
        chance.pause(0, 100);
        w.signal(Signal::TERM);
        assert_eq!(w.status(), Some(0), "{}", w.log());
        let stats = s.ok("JOBQ.STATS q");
        assert_eq!(stats.field("active").int(), 0, "it holds none: {stats:?}\n{}", w.log());
    }
    producer.join().expect("all are pushed");
    let mut w = Worker::run(&s.url(), &[&flags[..], &["--until-empty"]].concat());
    assert!(w.ends(), "{}", w.log());
    let stats = s.ok("JOBQ.STATS q");
    let counts = ["acked", "retried", "stalled"].map(|name| stats.field(name).int());
    assert_eq!(counts, [JOBS as i64, 0, 0], "{stats:?}");
    let runs = runs(ran());
    assert_eq!(runs.len(), JOBS);
    assert!(runs.values().all(|times| *times == 1), "{runs:?}");
}

/// Appends the id of each job to a file, by one write.
const RECORD: &str = r#"
import os, time

@job()
def handle(job):
    file = os.open(os.path.join(os.path.dirname(__file__), 'ran'), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b'%s\n' % job.id.encode())
    os.close(file)
    time.sleep(0.01)
"#;

fn lines_of(folder: &TempDir) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path().join("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn term_under_load_loses_and_repeats_nothing_of_processes() {
    let folder = TempDir::new().unwrap();
    let handler = format!("echo $WORKGATE_ID >>{}/ran; sleep 0.01", folder.path().display());
    terms_lose_and_repeat_nothing(&["--exec", &handler, "--concurrency", "3"], || lines_of(&folder));
}

#[test]
fn term_under_load_loses_and_repeats_nothing_of_children_with_batches() {
    if has("python3") {
        let folder = TempDir::new().unwrap();
        let handler = python(&folder, RECORD);
        let flags = ["--stdio", &handler, "--concurrency", "2", "--batch", "5"];
        terms_lose_and_repeat_nothing(&flags, || lines_of(&folder));
    }
}

#[test]
fn through_a_failover_of_sentinels_every_job_ends_and_its_effect_is_there_once() {
    let mut s = server!();
    let replica = s.replica(&[]);
    let folder = TempDir::new().unwrap();
    let sentinel_port = free_port();
    let Some(_sentinel) = sentinel(folder.path(), sentinel_port, s.port()) else {
        return eprintln!("skipped: no sentinel here");
    };
    eventually("the sentinel knows the replica", || {
        Client::connect(sentinel_port).is_ok_and(|c| {
            let replicas = c.call("SENTINEL REPLICAS main");
            !replicas.is_error() && !replicas.items().is_empty()
        })
    });
    let port = Arc::new(AtomicU16::new(s.port()));
    // What one replica has survives the primary; afterwards there is none to wait for.
    let first = push_all(port.clone(), "q", JOBS / 2, 1, Duration::from_millis(5));
    let url = format!("redis+sentinel://127.0.0.1:{sentinel_port}/main");
    // An effect that can be there only once: a folder of the job's id.
    let handler = format!("mkdir {}/$WORKGATE_ID 2>/dev/null; sleep 0.01", folder.path().display());
    let flags = ["--queue", "q", "--exec", &handler, "--concurrency", "3", "--lease", "1s"];
    let mut w = Worker::run(&url, &flags);
    first.join().expect("all are pushed");
    s.kill();
    eventually("the replica is the primary", || {
        let role = Client::connect(replica.port()).and_then(|c| c.try_call("ROLE"));
        role.is_ok_and(|role| role.at(0).text() == "master")
    });
    port.store(replica.port(), Ordering::SeqCst);
    // The same ids again, which are known, and as many new ones.
    push_all(port, "q", JOBS, 0, Duration::ZERO).join().expect("all are pushed");
    let promoted = replica.client();
    eventually("every job is done", || promoted.ok("JOBQ.STATS q").field("done").int() == JOBS as i64);
    let effects = (0..JOBS).filter(|id| folder.path().join(id.to_string()).is_dir()).count();
    assert_eq!(effects, JOBS);
    figure(format!("1 failover by Sentinel under {JOBS} jobs: all done, each effect once"));
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0), "{}", w.log());
}

#[test]
fn a_slot_that_moves_under_load_loses_and_repeats_nothing() {
    let cluster = Cluster::start();
    let key = "q:{0}";
    let mut chance = Chance::new();
    let first = cluster.owner(key);
    let other = cluster.nodes.iter().find(|node| node.port() != first.port()).expect("another node");
    let slot = first.ok(format!("CLUSTER KEYSLOT {key}")).int();
    let push = |node: &Client, jobs: std::ops::Range<usize>| {
        let pushes = jobs.map(|id| format!("JOBQ.PUSH {key} p ID {id}"));
        node.pipeline(pushes).iter().for_each(|reply| assert!(!reply.is_error(), "{reply:?}"));
    };
    push(first, 0..60);
    let w = Worker::start(&first.url(), "--queue q --shards 2 --concurrency 3", "sleep 0.01");
    let (mut from, mut to) = (first, other);
    for move_ in 1..5 {
        let before = w.ran().len();
        eventually("it runs some", || w.ran().len() > before + 5);
        chance.pause(0, 50);
        let [source, target] = [from, to].map(|node| node.ok("CLUSTER MYID").text());
        to.ok(format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
        from.ok(format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
        chance.pause(0, 50);
        from.ok(format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port()));
        chance.pause(0, 50);
        for node in [to, from] {
            node.ok(format!("CLUSTER SETSLOT {slot} NODE {target}"));
        }
        std::mem::swap(&mut from, &mut to);
        push(from, move_ * 60..(move_ + 1) * 60);
    }
    eventually("all are done", || from.ok(format!("JOBQ.STATS {key}")).field("acked").int() == 300);
    let stats = from.ok(format!("JOBQ.STATS {key}"));
    assert_eq!([stats.field("retried").int(), stats.field("stalled").int()], [0, 0], "{stats:?}");
    let runs = runs(w.ran());
    assert_eq!(runs.len(), 300);
    assert!(runs.values().all(|times| *times == 1), "{runs:?}\n{}", w.log());
    figure(format!("4 moves of a shard under {} jobs: each run once", runs.len()));
}
