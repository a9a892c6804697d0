//! Signals, restarts and lost connections.

use rustix::process::Signal;

use crate::process::Worker;
use crate::support::{Client, eventually, server};

fn push(s: &Client, count: usize) {
    s.pipeline((0..count).map(|id| format!("JOBQ.PUSH q p ID {id}")));
}

#[test]
fn term_lets_handlers_finish_and_takes_nothing_more() {
    let s = server!();
    push(&s, 10);
    let mut w = Worker::start(&s.url(), "--queue q --concurrency 2", "sleep 0.3");
    eventually("two run", || w.ran().len() == 2);
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0));
    let counts = s.ok("JOBQ.STATS q");
    assert_eq!((counts.field("active").int(), counts.field("done").int()), (0, w.ran().len() as i64));
    assert_eq!(counts.field("retried").int(), 0);
}

#[test]
fn when_the_grace_is_over_jobs_are_given_back_uncharged() {
    let s = server!();
    push(&s, 1);
    let mut w = Worker::start(&s.url(), "--queue q --grace 100ms", "sleep 60");
    eventually("it runs", || w.ran().len() == 1);
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0));
    let job = s.ok("JOBQ.GET q 0");
    job.field("state").clone().is("ready");
    job.field("attempt").clone().is(1);
}

#[test]
fn a_second_term_kills() {
    let s = server!();
    push(&s, 1);
    let mut w = Worker::start(&s.url(), "--queue q", "trap '' TERM; sleep 60");
    eventually("it runs", || w.ran().len() == 1);
    w.signal(Signal::TERM);
    eventually("it drains", || w.log().contains("taking no more jobs"));
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(130));
    s.ok("JOBQ.STATS q").field("active").clone().is(1);
}

#[test]
fn sigusr1_quiets_a_worker_that_waits() {
    let s = server!();
    let mut w = Worker::start(&s.url(), "--queue q", "true");
    eventually("it waits", || s.ok("CLIENT LIST").text().contains("cmd=jobq.pop"));
    w.signal(Signal::USR1);
    eventually("it waits no more", || !s.ok("CLIENT LIST").text().contains("cmd=jobq.pop flags=b"));
    eventually("it is quiet", || w.log().contains("SIGUSR1"));
    push(&s, 3);
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0));
    s.ok("JOBQ.STATS q").field("ready").clone().is(3);
    assert!(w.ran().is_empty());
}

#[test]
fn a_worker_comes_back_when_the_server_does_and_settles_what_ran_meanwhile() {
    let mut s = server!("appendonly yes", "appendfsync always");
    push(&s.client(), 4);
    let mut w = Worker::start(&s.url(), "--queue q --concurrency 2 --lease 5s", "sleep 0.5");
    eventually("two run", || w.ran().len() == 2);
    s.kill();
    s.revive();
    let c = s.client();
    eventually("all are done", || c.ok("JOBQ.STATS q").field("done").int() == 4);
    w.signal(Signal::TERM);
    assert_eq!(w.status(), Some(0));
    assert_eq!(w.ran().len(), 4, "each once: {:?}\n{}", w.ran(), w.log());
}

#[test]
fn a_wrong_address_a_wrong_level_and_two_handlers_are_wrong_flags() {
    for (url, flags, says) in [
        ("localhost", &["--queue", "q", "--exec", "true"][..], "redis[s]://"),
        ("redis://127.0.0.1:1", &["--queue", "q", "--exec", "true", "--log", "loud"], "expected off"),
        ("redis://127.0.0.1:1", &["--queue", "q", "--exec", "true", "--stdio", "cat"], "one of"),
        ("redis://127.0.0.1:1", &["--queue", "q", "--http", "ftp://h"], "http://"),
        ("redis://127.0.0.1:1", &["--queue", "q", "--exec", "true", "--tls-ca", "/nowhere"], "rediss://"),
    ] {
        let mut w = Worker::run(url, flags);
        assert_eq!(w.status(), Some(2), "{flags:?}: {}", w.log());
        assert!(w.log().contains(says), "{flags:?}: {}", w.log());
    }
}
