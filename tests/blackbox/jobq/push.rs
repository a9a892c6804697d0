//! JOBQ.PUSH and POP: ids, order, counts, what a job carries.

use crate::support::{cmd, eventually, list, nil, server, status, token, within};

#[test]
fn a_pushed_job_is_popped_with_its_token() {
    let s = server!();
    s.ok("JOBQ.PUSH q hello ID a").is(list!["a", "NEW"]);
    let now = s.now();
    let jobs = s.ok("JOBQ.POP q");
    let deadline = within(now + 30_000..=now + 40_000);
    jobs.is(list![list!["a", token(), "hello", 1, deadline, "q", nil(), nil(), nil(), nil()]]);
    s.ok("JOBQ.POP q").is(list![]);
}

#[test]
fn the_same_id_is_pushed_once() {
    let s = server!();
    s.ok("JOBQ.PUSH q first ID a").is(list!["a", "NEW"]);
    s.ok("JOBQ.PUSH q second ID a").is(list!["a", "DUP"]);
    s.ok("JOBQ.POP q COUNT 10").at(0).at(2).clone().is("first");
    s.ok("JOBQ.PUSH q third ID a").is(list!["a", "DUP"]);
    s.ok("JOBQ.POP q").is(list![]);
}

#[test]
fn an_id_is_remembered_after_the_job_is_done() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.PUSH q p ID a").is(list!["a", "DUP"]);
}

#[test]
fn automatic_ids_are_unique_and_begin_with_a_hash() {
    let s = server!();
    let mut ids: Vec<String> =
        s.pipeline(vec!["JOBQ.PUSH q p"; 300]).iter().map(|reply| reply.at(0).text()).collect();
    assert!(ids.iter().all(|id| id.starts_with('#')), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 300);
    let id = ids[0].clone();
    s.ok(format!("JOBQ.GET q {id}")).field("state").clone().is("ready");
}

#[test]
fn an_automatic_id_is_not_given_again_to_another_job() {
    let s = server!();
    let first = s.ok("JOBQ.PUSH q p").at(0).text();
    let t = s.ok("JOBQ.POP q").at(0).at(1).int();
    s.ok(format!("JOBQ.ACK q {first} {t}"));
    assert_ne!(s.ok("JOBQ.PUSH q p").at(0).text(), first);
}

#[test]
fn jobs_are_served_in_the_order_of_pushing() {
    let s = server!();
    s.pipeline((0..50).map(|i| format!("JOBQ.PUSH q p ID j{i}")));
    let mut order = Vec::new();
    for count in [1, 7, 30, 100] {
        let jobs = s.ok(format!("JOBQ.POP q COUNT {count}"));
        assert!(jobs.items().len() <= count);
        order.extend(jobs.items().iter().map(|job| job.at(0).text()));
    }
    assert_eq!(order, (0..50).map(|i| format!("j{i}")).collect::<Vec<_>>());
}

#[test]
fn tokens_rise_over_all_queues_and_families() {
    let s = server!();
    let mut last = 0;
    for i in 0..50 {
        s.ok(format!("JOBQ.PUSH q{} p", i % 3));
        for token in [
            s.ok(format!("JOBQ.POP q{}", i % 3)).at(0).at(1).int(),
            s.ok(format!("IDEMP.CLAIM i{i}")).at(2).int(),
            s.ok(format!("CACHE.GETSET c{i}")).at(2).int(),
        ] {
            assert!(token > last && token < 100_000_000_000_000, "{token} after {last}");
            last = token;
        }
    }
}

#[test]
fn a_delayed_job_is_not_served_before_its_time() {
    let s = server!();
    let pushed = s.now();
    s.ok("JOBQ.PUSH q p ID a DELAY 80ms");
    s.ok("JOBQ.PUSH q p ID b");
    s.ok("JOBQ.POP q").at(0).at(0).clone().is("b");
    let mut early = 0;
    eventually("the job is due", || {
        early += 1;
        !s.ok("JOBQ.POP q").items().is_empty()
    });
    assert!(early > 1, "it was not served at once");
    assert!(s.now() >= pushed + 80);
}

#[test]
fn a_delay_of_nothing_is_no_delay() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 0s");
    s.ok("JOBQ.POP q").at(0).at(0).clone().is("a");
}

#[test]
fn a_job_that_became_ready_earlier_is_served_earlier() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID late DELAY 60ms");
    s.ok("JOBQ.PUSH q p ID soon DELAY 20ms");
    s.goes_on(70);
    s.ok("JOBQ.PUSH q p ID now");
    let jobs = s.ok("JOBQ.POP q COUNT 3");
    let order: Vec<String> = jobs.items().iter().map(|job| job.at(0).text()).collect();
    assert_eq!(order, ["soon", "late", "now"]);
}

#[test]
fn ids_and_payloads_hold_any_byte() {
    let s = server!();
    let (queue, id, payload) = (b"q\0\xff", b"id\0\xfe\r\n", b"\0\x80\r\n");
    s.ok(cmd!["JOBQ.PUSH", queue, payload, "ID", id]).is(list![id, "NEW"]);
    s.ok(cmd!["JOBQ.PUSH", queue, "x", "ID", id]).is(list![id, "DUP"]);
    let job = s.ok(cmd!["JOBQ.POP", queue]).at(0).clone();
    job.clone().is(list![id, token(), payload, 1, within(1..=i64::MAX), queue, nil(), nil(), nil(), nil()]);
    s.ok(cmd!["JOBQ.GET", queue, id]).field("state").clone().is("active");
    s.ok(cmd!["JOBQ.ACK", queue, id, job.at(1).int()]).is(status("OK"));
}

#[test]
fn an_empty_payload_is_a_payload() {
    let s = server!();
    s.ok(cmd!["JOBQ.PUSH", "q", "", "ID", "a"]).is(list!["a", "NEW"]);
    s.ok("JOBQ.POP q").at(0).at(2).clone().is("");
}

#[test]
fn a_pop_on_nothing_makes_no_queue() {
    let s = server!();
    s.ok("JOBQ.POP q").is(list![]);
    s.ok("JOBQ.POP q BLOCK 10ms").is(list![]);
    s.ok("EXISTS q").is(0);
}

#[test]
fn the_lease_of_a_pop_is_the_deadline() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let now = s.now();
    let jobs = s.ok("JOBQ.POP q LEASE 2h");
    jobs.at(0).at(4).clone().is(within(now + 7_200_000..=now + 7_210_000));
}

#[test]
fn a_worker_may_tell_its_name() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let id = s.ok("JOBQ.POP q WORKER w1").at(0).at(0).text();
    s.ok(format!("JOBQ.GET q {id}")).field("worker").clone().is("w1");
}

#[test]
fn a_pop_stops_at_four_mebibytes_but_not_before_its_first_job() {
    let s = server!();
    s.ok("CONFIG SET workgate.jobq-max-payload 8388608");
    for size in [1 << 20, 1 << 20, 3 << 20, 6 << 20, 1 << 20] {
        s.ok(cmd!["JOBQ.PUSH", "q", vec![b'x'; size]]);
    }
    let sizes = || -> Vec<usize> {
        s.ok("JOBQ.POP q COUNT 1000").items().iter().map(|job| job.at(2).bytes().len() >> 20).collect()
    };
    assert_eq!(sizes(), [1, 1]);
    assert_eq!(sizes(), [3]);
    assert_eq!(sizes(), [6]);
    assert_eq!(sizes(), [1]);
}

#[test]
fn an_automatic_id_does_not_come_again_when_its_queue_begins_again() {
    let s = server!();
    let first = s.ok("JOBQ.PUSH q p").at(0).text();
    assert!(first.starts_with('#'), "{first}");
    s.ok("DEL q");
    // The same millisecond would give the same time.
    let now = s.now();
    crate::support::eventually("the clock goes on", || s.now() > now);
    let second = s.ok("JOBQ.PUSH q p").at(0).text();
    assert_ne!(first, second);
    s.ok(format!("JOBQ.CANCEL q {first}")).is(list![0]);
    s.ok(format!("JOBQ.CANCEL q {second}")).is(list![1]);
}
