//! JOBQ.EVENTS: what happened in a queue, for clients that ask and for clients that wait.

use crate::support::{Client, Reply, Server, Untouched, eventually, list, nil, server};

/// Name, id and detail of the events after `since`.
fn events(s: &Client, key: &str, since: i64) -> Vec<(String, String, String)> {
    let text = |part: &Reply| if *part == Reply::Nil { "-".to_owned() } else { part.text() };
    let rows = s.ok(format!("JOBQ.EVENTS {key} {since} COUNT 1000"));
    rows.items().iter().map(|row| (row.at(2).text(), text(row.at(3)), text(row.at(4)))).collect()
}

#[track_caller]
fn are(s: &Client, key: &str, since: i64, want: &[&str]) {
    let have: Vec<_> = events(s, key, since).iter().map(|(a, b, c)| format!("{a} {b} {c}")).collect();
    assert_eq!(have, want);
}

fn last(s: &Client, key: &str) -> i64 {
    s.ok(format!("JOBQ.STATS {key}")).field("last_event").int()
}

fn pop(s: &Server) -> i64 {
    s.ok("JOBQ.POP q LEASE 1h").at(0).at(1).int()
}

#[test]
fn the_life_of_a_job_is_told_in_order() {
    let s = server!();
    let begun = s.now();
    s.ok("JOBQ.PUSH q p ID a RETRIES 1");
    let t = s.ok("JOBQ.POP q LEASE 1h WORKER w1").at(0).at(1).int();
    s.ok(format!("JOBQ.EXTEND q a {t} PROGRESS half"));
    s.ok(format!("JOBQ.EXTEND q a {t}"));
    let due = s.ok(format!("JOBQ.FAIL q a {t} ERROR oops DELAY 1h")).at(1).int();
    s.ok("JOBQ.UPDATE q a NOW");
    let t = pop(&s);
    s.ok(format!("JOBQ.RELEASE q a {t}"));
    let t = pop(&s);
    s.ok(format!("JOBQ.FAIL q a {t} ERROR again"));
    s.ok("JOBQ.REDRIVE q");
    let t = pop(&s);
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok(format!("JOBQ.ACK q a {t}"));
    s.ok("JOBQ.PURGE q done");
    let delayed = format!("delayed a {due}");
    let want = [
        "pushed a -",
        "popped a w1",
        "progress a half",
        "failed a oops",
        &delayed,
        "updated a -",
        "ready a -",
        "popped a -",
        "released a -",
        "popped a -",
        "failed a again",
        "dead a again",
        "redriven a -",
        "popped a -",
        "done a -",
        "purged a -",
    ];
    are(&s, "q", 0, &want);
    are(&s, "q", 14, &want[14..]);
    let rows = s.ok("JOBQ.EVENTS q 2 COUNT 3");
    for (row, seq) in rows.items().iter().zip([3, 4, 5]) {
        row.at(0).clone().is(seq);
        assert!((begun..=s.now()).contains(&row.at(1).int()));
    }
    assert_eq!((rows.items().len(), last(&s, "q")), (3, 16));
    s.ok("JOBQ.EVENTS q 16").is(list![]);
    s.ok("JOBQ.EVENTS missing 0").is(list![]);
    assert_eq!(last(&s, "missing"), 0);
}

#[test]
fn what_happens_to_jobs_that_wait_and_to_the_queue_is_told() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a UNIQUE k UNTIL start");
    s.ok("JOBQ.PUSH q p ID b AFTER 1 a");
    s.ok("JOBQ.PUSH q p ID c UNIQUE k UNTIL start ONDUP replace");
    s.ok("JOBQ.CANCEL q b");
    pop(&s);
    s.ok("JOBQ.CANCEL q c");
    are(
        &s,
        "q",
        0,
        &[
            "pushed a -",
            "pushed b -",
            "blocked b -",
            "replaced a -",
            "pushed c -",
            "cancelled b -",
            "popped c -",
            "cancel_requested c -",
        ],
    );
    let since = last(&s, "q");
    s.ok("JOBQ.PAUSE q");
    let until = s.now() + 3_600_000;
    s.ok("JOBQ.PAUSE q FOR 2h");
    s.ok("JOBQ.RESUME q");
    s.ok("JOBQ.CONFIG SET q retries 5");
    s.ok("JOBQ.CRON SET q nightly @daily p");
    let id = s.ok("JOBQ.CRON RUN q nightly").at(0).text();
    s.ok("JOBQ.CRON DEL q nightly");
    let told = events(&s, "q", since);
    let names: Vec<_> = told.iter().map(|(event, id, _)| format!("{event} {id}")).collect();
    let pushed = format!("pushed {id}");
    let want = ["paused -", "paused -", "resumed -", "configured -", "scheduled -", &pushed, "unscheduled -"];
    assert_eq!(names, want);
    assert!(told[1].2.parse::<i64>().unwrap() > until, "{told:?}");
    assert_eq!((&told[4].2[..], &told[6].2[..]), ("nightly", "nightly"));
}

#[test]
fn what_time_does_is_told_when_it_has_been_done() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q stall_max 0");
    s.ok("JOBQ.PUSH q p ID late EXPIRE 20ms");
    s.ok("JOBQ.PUSH q p ID stalls PRIORITY -1 KEEP 1ms");
    s.ok("JOBQ.POP q LEASE 20ms");
    let due = s.ok("JOBQ.PUSH q p ID delayed DELAY 20ms").at(0).text();
    let since = last(&s, "q");
    assert_eq!(due, "delayed");
    // Only the reader touches the queue.
    let mut told = Vec::new();
    let mut seen = since;
    while told.len() < 5 {
        let rows = s.asks(format!("JOBQ.EVENTS q {seen} BLOCK 20s")).reply();
        for row in rows.items() {
            told.push(format!("{} {}", row.at(2).text(), row.at(3).text()));
            seen = row.at(0).int();
        }
    }
    told.sort();
    assert_eq!(told, ["dead stalls", "expired late", "ready delayed", "removed stalls", "stalled stalls"]);
}

#[test]
fn automatic_ids_are_shown_and_long_texts_are_cut() {
    let s = server!();
    let id = s.ok("JOBQ.PUSH q p RETRIES 0").at(0).text();
    let t = pop(&s);
    s.ok(crate::support::cmd!["JOBQ.FAIL", "q", &id, t, "ERROR", vec![b'x'; 5_000]]);
    s.ok(format!("JOBQ.RESULT q {id}")).at(1).clone().is(&[b'x'; 4_096]);
    let cut = "x".repeat(256);
    let (failed, dead) = (format!("failed {id} {cut}"), format!("dead {id} {cut}"));
    are(&s, "q", 1, &[&format!("popped {id} -"), &failed, &dead]);
}

#[test]
fn the_log_is_bounded_and_a_reader_sees_what_it_has_missed() {
    let s = server!();
    s.pipeline((0..1_500).map(|_| "JOBQ.PUSH q p"));
    let all = s.ok("JOBQ.EVENTS q 0 COUNT 1000");
    assert_eq!(all.items().len(), 1_000);
    all.at(0).at(0).clone().is(501);
    all.at(999).at(0).clone().is(1_500);
    assert_eq!(s.ok("JOBQ.EVENTS q 0").items().len(), 100);
    s.ok("JOBQ.CONFIG SET q events 3");
    s.ok("JOBQ.EVENTS q 0").at(0).at(0).clone().is(1_499);
    s.ok("JOBQ.CONFIG SET q events 0");
    s.ok("JOBQ.PUSH q p");
    s.ok("JOBQ.EVENTS q 0").is(list![]);
    s.ok("JOBQ.CONFIG SET q events 10000");
    s.ok("JOBQ.EVENTS q 0").at(0).at(0).clone().is(1_504);
    s.ok("JOBQ.PUSH q p ID a");
    // A number that this queue has not come to is of another one.
    s.ok("JOBQ.EVENTS q 9999 BLOCK 1m").at(1).at(3).clone().is("a");
}

#[test]
fn readers_wait_for_the_next_event_each_from_where_it_is() {
    let s = server!();
    let before = s.waits("JOBQ.EVENTS q 0 BLOCK 1m");
    let other = s.waits("JOBQ.EVENTS other 0 BLOCK 1m");
    let pop = s.waits("JOBQ.POP q BLOCK 1m LEASE 1h");
    s.ok("JOBQ.PUSH q p ID a");
    let first = before.reply();
    first.at(0).at(2).clone().is("pushed");
    assert!(first.items().len() <= 2, "{first:?}");
    pop.reply().at(0).at(0).clone().is("a");
    let (one, many) = (s.waits("JOBQ.EVENTS q 2 BLOCK 1m COUNT 1"), s.waits("JOBQ.EVENTS q 2 BLOCK 1m"));
    s.ok("JOBQ.MPUSH q 2 p p IDS 2 b c");
    let row = |seq: i64, id: &str| list![seq, crate::support::any(), "pushed", id, nil()];
    one.reply().is(list![row(3, "b")]);
    many.reply().is(list![row(3, "b"), row(4, "c")]);
    other.still_waits(&s);
}

#[test]
fn waiting_for_events_ends_in_every_way() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    s.asks("JOBQ.EVENTS q 1 BLOCK 50ms").reply().is(list![]);
    let w = s.waits("JOBQ.EVENTS q 1 BLOCK 1m");
    s.ok(format!("CLIENT UNBLOCK {} TIMEOUT", w.id)).is(1);
    w.reply().is(list![]);
    let w = s.waits("JOBQ.EVENTS q 1 BLOCK 1m");
    s.ok(format!("CLIENT KILL ID {}", w.id));
    eventually("nobody waits", || s.info("blocked_clients") == "0");
    let w = s.waits("JOBQ.EVENTS q 1 BLOCK 1m");
    s.ok("DEL q");
    s.ok("JOBQ.PUSH q p ID b");
    w.still_waits(&s);
    s.ok("JOBQ.PUSH q p ID c");
    w.reply().at(0).at(3).clone().is("c");
    let w = s.waits("JOBQ.EVENTS q 2 BLOCK 1m");
    s.ok("SET q string");
    assert!(w.reply().is_error());
    s.ok("DEL q");
    s.transaction(["JOBQ.EVENTS q 0 BLOCK 1m"])[0].clone().is(list![]);
    let script = "return redis.call('JOBQ.EVENTS', KEYS[1], '0', 'BLOCK', '1m')";
    s.ok(crate::support::cmd!["EVAL", script, 1, "q"]).is(list![]);
}

#[test]
fn a_lease_that_is_shortened_is_watched_though_that_is_no_event() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a");
    let t = pop(&s);
    let w = s.waits("JOBQ.EVENTS q 2 BLOCK 1m");
    s.ok(format!("JOBQ.EXTEND q a {t} LEASE 100ms"));
    w.reply().at(0).at(2).clone().is("stalled");
}

#[test]
fn many_readers_are_all_told() {
    let s = server!();
    let readers: Vec<Client> = (0..1_200)
        .map(|_| {
            let client = s.client();
            client.send("JOBQ.EVENTS q 0 BLOCK 1m");
            client
        })
        .collect();
    eventually("all wait", || s.info("blocked_clients") == "1200");
    s.ok("JOBQ.PUSH q p ID a");
    for reader in &readers {
        reader.read().at(0).at(3).clone().is("a");
    }
}

#[test]
fn a_replica_and_a_restarted_server_have_the_same_log() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a RETRIES 0");
    let id = s.ok("JOBQ.PUSH q p").at(0).text();
    let t = pop(&s);
    s.ok(format!("JOBQ.FAIL q a {t} ERROR broken"));
    let t = pop(&s);
    s.ok(format!("JOBQ.ACK q {id} {t}"));
    s.in_step_with(&r);
    let all = s.ok("JOBQ.EVENTS q 0");
    assert_eq!(all.items().len(), 7);
    assert_eq!(r.ok("JOBQ.EVENTS q 0"), all);
    // No client waits on a replica.
    r.ok("JOBQ.EVENTS q 7 BLOCK 1m").is(list![]);
    s.ok("DEBUG RELOAD");
    assert_eq!(s.ok("JOBQ.EVENTS q 0"), all);
    s.crash_and_restart();
    assert_eq!(s.ok("JOBQ.EVENTS q 0"), all);
    // A copy goes on by itself; a worker that holds a job of the original holds none of the copy.
    s.ok("JOBQ.PUSH q p ID b");
    pop(&s);
    s.ok("COPY q copy");
    are(&s, "copy", 7, &["pushed b -", "popped b -", "released b -"]);
    are(&s, "q", 7, &["pushed b -", "popped b -"]);
}

#[test]
fn reading_changes_nothing_and_a_wrong_call_says_why() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID a DELAY 10ms");
    s.goes_on(20);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.EVENTS q 0 COUNT 1"));
    for wrong in ["-1", "x", "9007199254740992", "0 COUNT 0", "0 COUNT 1001", "0 BLOCK 5", "0 SINCE 5", ""] {
        untouched.refuses("q", format!("JOBQ.EVENTS q {wrong}"), "ERR");
    }
    s.ok("SET string x");
    s.refuses("JOBQ.EVENTS string 0", "WRONGTYPE");
    for wrong in ["-1", "10001", "off"] {
        s.refuses(format!("JOBQ.CONFIG SET q events {wrong}"), "ERR");
    }
}
