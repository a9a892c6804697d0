//! `--rate`: what workers of several queues take together.

use crate::process::Worker;
use crate::support::{eventually, server};

#[test]
fn workers_of_several_queues_take_no_more_than_the_limit_admits() {
    let s = server!();
    for queue in ["a", "b"] {
        s.pipeline((0..4).map(|id| format!("JOBQ.PUSH {queue} p ID {id} COST 2")));
    }
    let rate = "budget tokens=6/1h daily=90/1d";
    let url = s.url();
    let flags = |queue| ["--queue", queue, "--rate", rate, "--concurrency", "1", "--exec", "true"];
    let (a, b) = (Worker::run(&url, &flags("a")), Worker::run(&url, &flags("b")));
    let done = || {
        let done = |queue| s.ok(format!("JOBQ.STATS {queue}")).field("done").int();
        done("a") + done("b")
    };
    eventually("the limit is used up", || done() == 3);
    eventually("both wait", || s.info("blocked_clients") == "2");
    s.ok("RATELIMIT.REFUND budget tokens=6/1h COST 4");
    eventually("what was given back is used", || done() == 5);
    eventually("both wait", || s.info("blocked_clients") == "2");
    assert_eq!(done(), 5);
    drop((a, b));
}
