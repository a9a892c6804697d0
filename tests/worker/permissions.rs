//! The user that docs/guides/operations.md sets up for a worker suffices for one.

use std::path::Path;

use crate::process::Worker;
use crate::support::{Reply, Server, eventually, server};

fn set_up_line() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/operations.md");
    let text = std::fs::read_to_string(path).expect("the guide");
    let line = text.lines().find(|line| line.starts_with("> ACL SETUSER worker "));
    line.expect("the guide sets up a worker").trim_start_matches("> ").to_owned()
}

/// What the server has refused, but for the names that client libraries try to set.
fn refused(s: &Server) -> Vec<String> {
    let log = s.ok("ACL LOG");
    let objects = log.items().iter().map(|entry| entry.field("object").text());
    objects.filter(|object| object != "client|setinfo").collect()
}

#[test]
fn the_worker_of_the_guide_runs_jobs_and_stops_while_it_waits() {
    let s = server!();
    s.ok(set_up_line().as_str());
    for (key, id) in [("mails", "a"), ("mails:{1}", "b")] {
        s.ok(format!("JOBQ.PUSH {key} hello ID {id}").as_str());
    }
    let url = format!("redis://worker:change-me@127.0.0.1:{}/", s.port());
    let mut all = Worker::start(&url, "--queue mails --until-empty", "true");
    assert!(all.ends(), "{}", all.log());
    assert_eq!(all.ran(), ["mails a"]);

    let mut waiting = Worker::start(&url, "--queue mails --shards 2", "true");
    eventually(
        "the job of the shard is done",
        || matches!(s.ok("JOBQ.RESULT mails:{1} b").at(0), Reply::Bulk(state) if state == b"done"),
    );
    eventually("the worker waits", || s.info("blocked_clients") == "1");
    waiting.terminate();
    assert!(waiting.ends(), "{}", waiting.log());
    assert_eq!(refused(&s), Vec::<String>::new());
}
