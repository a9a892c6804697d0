//! JOBQ.UPDATE: what an operator may change of a job.

use crate::support::{Reply, Untouched, cmd, list, server, status};

fn popped(reply: &Reply) -> Vec<String> {
    reply.items().iter().map(|job| job.at(0).text()).collect()
}

#[test]
fn a_waiting_job_is_promoted_delayed_and_moved() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.PUSH q p ID c");
    s.ok("JOBQ.PUSH q p ID late DELAY 1h");
    s.ok("JOBQ.UPDATE q late NOW").is(status("OK"));
    s.ok("JOBQ.UPDATE q a DELAY 1h");
    s.ok("JOBQ.UPDATE q c PRIORITY -1");
    s.ok("JOBQ.GET q a").field("state").clone().is("delayed");
    s.ok("JOBQ.GET q c").field("priority").clone().is(-1);
    assert_eq!(popped(&s.ok("JOBQ.POP q COUNT 9")), ["c", "b", "late"]);
    s.ok("JOBQ.UPDATE q a AT 5");
    assert_eq!(popped(&s.ok("JOBQ.POP q")), ["a"]);
}

#[test]
fn a_promoted_job_is_handed_to_who_waits() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 1h");
    let waiter = s.waits("JOBQ.POP q BLOCK 10s");
    s.ok("JOBQ.UPDATE q a NOW");
    assert_eq!(popped(&waiter.reply()), ["a"]);
}

#[test]
fn payload_and_retries_are_those_of_the_next_run() {
    let s = server!();
    s.ok("JOBQ.PUSH q bad ID a RETRIES 0");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok("JOBQ.UPDATE q a PAYLOAD good RETRIES 1");
    s.ok(format!("JOBQ.FAIL q a {t} DELAY 0s")).at(0).clone().is("delayed");
    let job = s.ok("JOBQ.POP q");
    job.at(0).at(2).clone().is("good");
    let t = job.at(0).at(1).int();
    s.ok(format!("JOBQ.FAIL q a {t}")).at(0).clone().is("dead");
    s.ok("JOBQ.UPDATE q a PAYLOAD better");
    s.ok("JOBQ.REDRIVE q").is(list![1, 0]);
    let job = s.ok("JOBQ.POP q");
    job.at(0).at(2).clone().is("better");
    s.ok(format!("JOBQ.ACK q a {}", job.at(0).at(1).int()));
}

#[test]
fn said_again_it_changes_nothing_and_what_does_not_fit_is_refused() {
    let s = server!();
    for id in ["ready", "active", "dead", "done"] {
        s.ok(format!("JOBQ.PUSH q p ID {id} PRIORITY {}", id.len()));
    }
    for (id, end) in [("dead", "FAIL"), ("done", "ACK"), ("ready", "RELEASE"), ("active", "EXTEND")] {
        s.ok(format!("JOBQ.UPDATE q {id} PRIORITY -1"));
        let t = s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int();
        let dead = if end == "FAIL" { "DEAD" } else { "" };
        s.ok(format!("JOBQ.{end} q {id} {t} {dead}"));
        if id == "ready" {
            s.ok("JOBQ.UPDATE q ready PRIORITY 5");
        }
    }
    let untouched = Untouched::on(&s);
    for again in ["ready NOW", "ready AT 5", "ready PRIORITY 5", "active RETRIES 3", "dead PAYLOAD p"] {
        untouched.during("q", || s.ok(format!("JOBQ.UPDATE q {again}")).is(status("OK")));
    }
    for (refused, code) in [
        ("", "ERR"),
        ("gone NOW", "NOJOB"),
        ("ready", "ERR"),
        ("ready NOW DELAY 1s", "ERR"),
        ("ready AT 1 DELAY 1s", "ERR"),
        ("ready AT 9000000000001", "ERR"),
        ("ready DELAY 5", "ERR"),
        ("ready RETRIES 1000001", "ERR"),
        ("ready PRIORITY x", "ERR"),
        ("ready PAYLOAD", "ERR"),
        ("ready NONSENSE", "ERR"),
        ("active NOW", "ERR"),
        ("active DELAY 1s", "ERR"),
        ("dead NOW", "ERR"),
        ("done RETRIES 5", "ERR"),
        ("done PRIORITY -1", "ERR"),
    ] {
        untouched.refuses("q", format!("JOBQ.UPDATE q {refused}").trim_end(), code);
    }
    untouched.refuses("nothing", "JOBQ.UPDATE nothing a NOW", "NOJOB");
    untouched.refuses("q", cmd!["JOBQ.UPDATE", "q", "ready", "PAYLOAD", vec![0; (1 << 20) + 1]], "TOOBIG");
}

#[test]
fn a_new_payload_reaches_replicas_and_files() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let replica = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a DELAY 1h");
    let payload = vec![0xff; 300_000];
    s.ok(cmd!["JOBQ.UPDATE", "q", "a", "PAYLOAD", &payload, "NOW"]);
    s.in_step_with(&replica);
    assert_eq!(replica.ok("JOBQ.GET q a").field("payload").bytes(), payload);
    s.crash_and_restart();
    let job = s.ok("JOBQ.POP q");
    assert_eq!(job.at(0).at(2).bytes(), payload);
}

#[test]
fn a_job_gives_up_its_key_and_its_place_among_the_latest() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k");
    s.ok("JOBQ.PUSH q p ID b UNIQUE k ONDUP next").is(list!["b", "NEXT"]);
    s.ok("JOBQ.UPDATE q a NOUNIQUE").is(status("OK"));
    s.ok("JOBQ.GET q b").field("state").clone().is("ready");
    s.ok("JOBQ.PUSH q p ID c UNIQUE k").is(list!["b", "DUP"]);
    s.ok("JOBQ.UPDATE q b LIFO");
    assert_eq!(popped(&s.ok("JOBQ.POP q")), ["b"]);
    s.ok("JOBQ.PUSH q p ID d LIFO");
    s.ok("JOBQ.UPDATE q d FIFO");
    assert_eq!(popped(&s.ok("JOBQ.POP q COUNT 2")), ["a", "d"]);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.UPDATE q d NOUNIQUE FIFO"));
    untouched.refuses("q", "JOBQ.UPDATE q d LIFO FIFO", "ERR");
}
