//! JOBQ: how a job ends, is retried, given back, renewed; re-sends.

use crate::support::{Server, any, eventually, list, server, status, token, within};

/// Pops one job; its token.
#[track_caller]
fn pop(s: &Server, options: &str) -> i64 {
    s.ok(format!("JOBQ.POP q {options}")).at(0).at(1).int()
}

/// Pops as soon as there is a job; the job.
#[track_caller]
fn pop_when_ready(s: &Server, options: &str) -> crate::support::Reply {
    let mut job = None;
    eventually("a job is ready", || {
        let jobs = s.ok(format!("JOBQ.POP q {options}"));
        job = jobs.items().first().cloned();
        job.is_some()
    });
    job.expect("a job")
}

fn state(s: &Server, id: &str) -> String {
    s.ok(format!("JOBQ.GET q {id}")).field("state").text()
}

#[test]
fn an_acknowledged_job_is_done_also_when_told_twice() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));
    assert_eq!(state(&s, "a"), "done");
    s.refuses(format!("JOBQ.ACK q a {}", t + 1), "FENCED");
    s.refuses(format!("JOBQ.ACK q unknown {t}"), "NOJOB");
    s.refuses(format!("JOBQ.ACK nothing a {t}"), "NOJOB");
}

#[test]
fn a_failed_job_is_retried_after_its_backoff_and_then_dead() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 2 BACKOFF fixed:20ms");
    for attempt in 1..=2 {
        let job = pop_when_ready(&s, "");
        job.at(3).clone().is(attempt);
        let now = s.now();
        let t = job.at(1).int();
        s.ok(format!("JOBQ.FAIL q a {t}")).is(list!["delayed", within(now + 20..=now + 5_000)]);
        assert_eq!(state(&s, "a"), "delayed");
    }
    let job = pop_when_ready(&s, "");
    job.at(3).clone().is(3);
    s.ok(format!("JOBQ.FAIL q a {}", job.at(1).int())).is(list!["dead", any()]);
    assert_eq!(state(&s, "a"), "dead");
    s.ok("JOBQ.STATS q").field("dead").clone().is(1);
}

#[test]
fn no_retries_means_one_run() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 0");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.FAIL q a {t}")).at(0).clone().is("dead");
}

#[test]
fn the_default_backoff_doubles_from_two_seconds() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "");
    let now = s.now();
    s.ok(format!("JOBQ.FAIL q a {t}")).is(list!["delayed", within(now + 2_000..=now + 4_000)]);
}

#[test]
fn every_form_of_backoff_is_kept() {
    let s = server!();
    for (backoff, least, most) in [
        ("fixed:5s", 5_000, 5_000),
        ("exp:3s", 3_000, 3_000),
        ("exp:3s:max=3s", 3_000, 3_000),
        ("exp:10s:jitter=20", 8_000, 12_000),
        ("list:7s,1m", 7_000, 7_000),
    ] {
        s.ok(format!("JOBQ.PUSH q p ID {backoff} BACKOFF {backoff}"));
        let t = pop(&s, "");
        let before = s.now();
        let due = s.ok(format!("JOBQ.FAIL q {backoff} {t}")).at(1).int();
        let after = s.now();
        assert!((before + least..=after + most).contains(&due), "{backoff}: {}", due - before);
    }
}

#[test]
fn a_failure_sent_again_answers_alike() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 1 BACKOFF fixed:10s");
    let t = pop(&s, "");
    let first = s.ok(format!("JOBQ.FAIL q a {t}"));
    s.ok(format!("JOBQ.FAIL q a {t}")).is(&first);
    s.ok("JOBQ.PUSH q p ID b RETRIES 0");
    let t = pop(&s, "");
    let first = s.ok(format!("JOBQ.FAIL q b {t}"));
    s.ok(format!("JOBQ.FAIL q b {t}")).is(&first);
}

#[test]
fn an_old_token_is_fenced_once_the_job_was_popped_again() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a BACKOFF fixed:1ms");
    let old = pop(&s, "");
    s.ok(format!("JOBQ.FAIL q a {old}"));
    let new = pop_when_ready(&s, "").at(1).int();
    assert!(new > old);
    for verb in ["ACK", "FAIL", "RELEASE", "EXTEND"] {
        s.refuses(format!("JOBQ.{verb} q a {old}"), "FENCED");
    }
    s.ok(format!("JOBQ.ACK q a {new}"));
}

#[test]
fn a_released_job_returns_to_its_place_uncharged() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.ok("JOBQ.PUSH q p ID b");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.RELEASE q a {t}")).is(status("OK"));
    s.ok("JOBQ.POP q").at(0).clone().is(list!["a", token(), "p", 1, any(), "q", any(), any(), any(), any()]);
}

#[test]
fn a_job_released_with_a_delay_waits() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.RELEASE q a {t} DELAY 40ms")).is(status("OK"));
    assert_eq!(state(&s, "a"), "delayed");
    pop_when_ready(&s, "").at(3).clone().is(1);
}

#[test]
fn a_lost_lease_brings_the_job_back_and_counts_as_a_stall() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 0");
    let mut last = 0;
    // At most three stalls are borne: the first run and three more.
    for _ in 0..4 {
        let job = pop_when_ready(&s, "LEASE 15ms");
        job.at(3).clone().is(1);
        assert!(job.at(1).int() > last);
        last = job.at(1).int();
    }
    eventually("the fourth stall kills it", || {
        s.ok("JOBQ.POP q").is(list![]);
        s.ok("JOBQ.STATS q").field("dead").int() == 1
    });
    assert_eq!(state(&s, "a"), "dead");
}

#[test]
fn a_late_acknowledgement_counts_until_the_job_is_popped_again() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "LEASE 10ms");
    s.goes_on(20);
    s.refuses(format!("JOBQ.EXTEND q a {t}"), "FENCED");
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));
    s.ok("JOBQ.POP q").is(list![]);
    assert_eq!(state(&s, "a"), "done");
}

#[test]
fn an_extended_lease_holds() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "LEASE 150ms");
    s.ok(format!("JOBQ.EXTEND q a {t} LEASE 1h")).is(1);
    s.ok(format!("JOBQ.EXTEND q a {t} LEASE 1h")).is(1);
    s.goes_on(200);
    s.ok("JOBQ.POP q").is(list![]);
    s.ok(format!("JOBQ.ACK q a {t}")).is(status("OK"));
}

#[test]
fn a_finished_job_cannot_be_extended_or_given_back() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.ACK q a {t}"));
    for verb in ["EXTEND", "RELEASE"] {
        assert!(s.call(format!("JOBQ.{verb} q a {t}")).is_error(), "{verb}");
    }
    assert_eq!(state(&s, "a"), "done");
}

#[test]
fn stats_count_every_job_in_one_state() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID dead RETRIES 0");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.FAIL q dead {t}"));
    s.ok("JOBQ.PUSH q p ID done");
    let t = pop(&s, "");
    s.ok(format!("JOBQ.ACK q done {t}"));
    s.ok("JOBQ.PUSH q p ID active");
    pop(&s, "LEASE 1h");
    s.pipeline(vec!["JOBQ.PUSH q p DELAY 1h"; 3]);
    s.pipeline(vec!["JOBQ.PUSH q p"; 2]);
    let stats = s.ok("JOBQ.STATS q");
    for (field, count) in
        [("ready", 2), ("delayed", 3), ("active", 1), ("blocked", 0), ("done", 1), ("dead", 1)]
    {
        assert_eq!(stats.field(field).int(), count, "{field} in {stats:?}");
    }
    let on_resp3 = s.client3().ok("JOBQ.STATS q");
    assert!(matches!(on_resp3, crate::support::Reply::Map(_)), "a map on RESP3: {on_resp3:?}");
}

#[test]
fn a_long_error_is_cut_and_the_failure_is_recorded() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 0");
    let t = pop(&s, "");
    s.ok(crate::support::cmd!["JOBQ.FAIL", "q", "a", t, "ERROR", vec![b'x'; 1 << 20]]).is(list!["dead", 0]);
    assert_eq!(s.ok("JOBQ.GET q a").field("error").bytes().len(), 4096);
}

#[test]
fn the_progress_of_an_attempt_comes_with_the_next_one() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let job = s.ok("JOBQ.POP q").at(0).clone();
    assert_eq!(job.at(9), &crate::support::Reply::Nil);
    s.ok(format!("JOBQ.EXTEND q a {} PROGRESS 1", job.at(1).int()));
    s.ok(format!("JOBQ.RELEASE q a {} DELAY 1ms PROGRESS 2", job.at(1).int()));
    let job = pop_when_ready(&s, "");
    job.at(9).clone().is("2");
    job.at(3).clone().is(1);
    s.ok(format!("JOBQ.FAIL q a {} DELAY 0s PROGRESS 3", job.at(1).int()));
    let job = pop_when_ready(&s, "");
    job.at(9).clone().is("3");
    job.at(3).clone().is(2);
}

#[test]
fn a_dead_job_says_which_attempt_was_its_last() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a RETRIES 1");
    for _ in 0..2 {
        let t = pop_when_ready(&s, "").at(1).int();
        s.ok(format!("JOBQ.FAIL q a {t} DELAY 0s"));
    }
    let job = s.ok("JOBQ.GET q a");
    job.field("state").clone().is("dead");
    job.field("attempt").clone().is(2);
}
