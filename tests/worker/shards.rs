//! Shards on one server, and the worker's name.

use std::collections::BTreeSet;

use crate::process::Worker;
use crate::support::{Client, cmd, eventually, server, status};

/// Pushes `count` jobs to `queue`, with the ids `0`, `1` and so on.
fn push(s: &Client, queue: &str, jobs: usize) {
    s.pipeline((0..jobs).map(|id| cmd!["JOBQ.PUSH", queue, "p", "ID", format!("{id}")]));
}

#[test]
fn every_job_of_every_shard_runs_once_and_the_worker_ends() {
    let s = server!();
    let shards = ["a:{0}", "a:{1}", "a:{2}", "b:{0}", "b:{1}", "b:{2}"];
    shards.iter().for_each(|shard| push(&s, shard, 10));
    // One that has to wait until its retry.
    s.ok("JOBQ.PUSH b:{2} p ID late DELAY 700ms");
    let flags = "--queue a --queue b --shards 3 --concurrency 4 --until-empty";
    let mut w = Worker::start(&s.url(), flags, "true");
    assert!(w.ends());
    let ran = w.ran();
    assert_eq!(ran.len(), 61);
    assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), 61, "each once");
    for shard in shards {
        assert_eq!(
            s.ok(format!("JOBQ.STATS {shard}")).field("acked").int(),
            10 + i64::from(shard == "b:{2}")
        );
    }
    assert!(ran.iter().any(|job| job == "b:{2} late"), "empty is without delayed jobs too");
}

#[test]
fn a_full_shard_does_not_starve_the_others() {
    let s = server!();
    push(&s, "q:{0}", 60);
    push(&s, "q:{1}", 5);
    let mut w = Worker::start(&s.url(), "--queue q --shards 2 --concurrency 1 --until-empty", "true");
    assert!(w.ends());
    let ran = w.ran();
    let last = ran.iter().rposition(|line| line.starts_with("q:{1}")).expect("they ran");
    assert!(last <= 12, "taken in turn, the last of five is the tenth: {last}");
}

#[test]
fn a_worker_holds_its_jobs_under_its_name() {
    let s = server!();
    push(&s, "q", 1);
    push(&s, "other", 1);
    let named = Worker::start(&s.url(), "--queue q --name mailer-7", "sleep 60");
    let nameless = Worker::start(&s.url(), "--queue other", "sleep 60");
    eventually("both run", || !named.ran().is_empty() && !nameless.ran().is_empty());
    s.ok("JOBQ.GET q 0").field("worker").clone().is("mailer-7");
    let by_default = s.ok("JOBQ.LIST other active").at(1).at(0).field("worker").text();
    let (host, pid) = by_default.rsplit_once(':').expect("host:pid");
    assert!(!host.is_empty() && pid.parse::<u32>().is_ok(), "{by_default}");
}

#[test]
fn a_worker_never_holds_more_jobs_than_it_runs() {
    let s = server!();
    push(&s, "q:{0}", 20);
    push(&s, "q:{1}", 20);
    let mut w = Worker::start(&s.url(), "--queue q --shards 2 --concurrency 3 --until-empty", "sleep 0.02");
    let mut most = 0;
    eventually("all are done", || {
        // Both in one moment: between two looks a job of the first may end, and one of the second
        // begin.
        let looks = s.transaction(["JOBQ.STATS q:{0}", "JOBQ.STATS q:{1}"]);
        let total = |field| looks.iter().map(|counts| counts.field(field).int()).sum::<i64>();
        most = most.max(total("active"));
        total("done") == 40
    });
    assert!(most <= 3, "{most} at once");
    assert!(w.ends());
}

#[test]
fn too_many_keys_for_one_pop_end_the_worker_with_a_word() {
    let s = server!();
    let mut w = Worker::start(&s.url(), "--queue a --queue b --shards 60", "true");
    assert!(!w.ends());
    assert!(w.log().contains("at most 101"), "{}", w.log());
    s.ok("PING").is(status("PONG"));
}
