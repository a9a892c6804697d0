//! STATS BY: counts by NAME and by KIND.

use crate::support::{Client, Reply, Untouched, cmd, list, nil, server};

fn rows(s: &Client, key: &str, by: &str) -> Vec<Reply> {
    s.ok(format!("JOBQ.STATS {key} BY {by}")).field("rows").items().to_vec()
}

/// These fields of a row.
fn counts(row: &Reply, fields: &[&str]) -> Vec<i64> {
    fields.iter().map(|field| row.field(field).int()).collect()
}

fn pop(s: &Client) -> (String, i64) {
    let popped = s.ok("JOBQ.POP q LEASE 1h WORKER w");
    (popped.at(0).at(0).text(), popped.at(0).at(1).int())
}

const STATES: [&str; 4] = ["waiting", "active", "done", "dead"];

#[test]
fn each_name_has_its_own_counts_and_times() {
    let s = server!();
    s.ok("JOBQ.PUSH q p ID m1 NAME mail RETRIES 0");
    s.ok("JOBQ.PUSH q p ID m2 NAME mail");
    s.ok("JOBQ.PUSH q p ID s1 NAME sms DELAY 1h");
    s.ok("JOBQ.PUSH q p ID plain");
    s.goes_on(60);
    let (_, t) = pop(&s);
    s.goes_on(20);
    s.ok(format!("JOBQ.FAIL q m1 {t} KIND http_500"));
    let (_, t) = pop(&s);
    s.ok(format!("JOBQ.ACK q m2 {t}"));
    pop(&s);
    let reply = s.ok("JOBQ.STATS q BY name");
    let bounds: Vec<i64> = reply.field("bounds_ms").items().iter().map(Reply::int).collect();
    assert_eq!((bounds.len(), bounds[0], bounds[14]), (15, 5, 86_400_000));
    let rows = rows(&s, "q", "name");
    assert_eq!(rows.len(), 3);
    rows[0].field("name").clone().is("mail");
    rows[1].field("name").clone().is("sms");
    rows[2].field("name").clone().is(nil());
    assert_eq!(counts(&rows[0], &STATES), [0, 0, 1, 1]);
    assert_eq!(counts(&rows[0], &["pushed", "acked", "failed", "retried", "died"]), [2, 1, 1, 0, 1]);
    assert_eq!(counts(&rows[1], &STATES), [1, 0, 0, 0]);
    assert_eq!(counts(&rows[2], &STATES), [0, 1, 0, 0]);
    assert_eq!(counts(&rows[2], &["pushed", "acked"]), [1, 0]);
    let sum = |row: &Reply, times: &str| row.field(times).items().iter().map(Reply::int).sum::<i64>();
    assert_eq!((sum(&rows[0], "wait"), sum(&rows[0], "run"), sum(&rows[2], "wait")), (2, 2, 1));
    // No wait of 60 ms is among those of at most 50 ms.
    assert_eq!(rows[0].field("wait").items()[..3].iter().map(Reply::int).sum::<i64>(), 0);
    assert!(rows[0].field("wait_sum_ms").int() >= 120 && rows[0].field("run_sum_ms").int() >= 20);
}

#[test]
fn failures_are_counted_by_kind_and_dead_jobs_leave_their_row() {
    let s = server!();
    for id in ["a", "b", "c"] {
        s.ok(format!("JOBQ.PUSH q p ID {id} RETRIES 0"));
    }
    s.ok("JOBQ.PUSH q p ID again");
    for kind in ["KIND http_500", "KIND http_500", "", "KIND slow"] {
        let (id, t) = pop(&s);
        s.ok(format!("JOBQ.FAIL q {id} {t} {kind}").trim_end());
    }
    let fields = ["dead", "failed", "retried", "died"];
    let rows = rows(&s, "q", "kind");
    let labels: Vec<String> = rows[..2].iter().map(|row| row.field("kind").text()).collect();
    assert_eq!(labels, ["http_500", "slow"]);
    rows[2].field("kind").clone().is(nil());
    assert_eq!(counts(&rows[0], &fields), [2, 2, 0, 2]);
    assert_eq!(counts(&rows[1], &fields), [0, 1, 1, 0]);
    assert_eq!(counts(&rows[2], &fields), [1, 1, 0, 1]);
    s.ok("JOBQ.REDRIVE q KIND http_500 LIMIT 1").is(list![1, 2]);
    s.ok("JOBQ.PURGE q dead KIND http_500").is(list![1, 1]);
    let rows = self::rows(&s, "q", "kind");
    assert_eq!(counts(&rows[0], &fields), [0, 2, 0, 2]);
}

#[test]
fn a_lost_lease_is_of_the_kind_stalled_before_a_write_has_seen_it() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q stall_max 0");
    s.ok("JOBQ.PUSH q p ID a NAME mail");
    s.ok("JOBQ.POP q LEASE 5ms");
    s.goes_on(10);
    let untouched = Untouched::on(&s);
    untouched.during("q", || {
        let kinds = rows(&s, "q", "kind");
        kinds[0].field("kind").clone().is("stalled");
        assert_eq!(counts(&kinds[0], &["dead", "died"]), [1, 1]);
        assert_eq!(counts(&rows(&s, "q", "name")[0], &STATES), [0, 0, 0, 1]);
    });
}

#[test]
fn a_hundred_names_have_rows_and_the_others_are_one() {
    let s = server!();
    for nth in 0..120 {
        s.ok(format!("JOBQ.PUSH q p NAME name-{nth:03}"));
    }
    let found = rows(&s, "q", "name");
    assert_eq!(found.len(), 101);
    found[100].field("name").clone().is(nil());
    assert_eq!(counts(&found[100], &["waiting", "pushed"]), [20, 20]);
    s.pipeline((0..5_000).map(|nth| format!("JOBQ.PUSH other p NAME name-{nth}")));
    assert_eq!(rows(&s, "other", "name").len(), 101);
    s.ok("JOBQ.PURGE q ready");
    s.ok("JOBQ.PUSH q p NAME late");
    let late = rows(&s, "q", "name");
    assert_eq!(late.len(), 101);
    let names: Vec<String> = late[..100].iter().map(|row| row.field("name").text()).collect();
    assert!(names.contains(&"late".to_owned()));
    let pushed: i64 = late.iter().map(|row| row.field("pushed").int()).sum();
    assert_eq!(pushed, 121, "the row that was given up counts with the rest");
}

#[test]
fn rows_are_on_the_replica_and_come_back_from_a_file() {
    let s = server!();
    let replica = s.replica(&[]);
    s.ok("JOBQ.PUSH q p ID a NAME mail");
    let (_, t) = pop(&s);
    s.ok(format!("JOBQ.FAIL q a {t} KIND slow DEAD"));
    s.in_step_with(&replica);
    for by in ["name", "kind"] {
        let seen = s.ok(format!("JOBQ.STATS q BY {by}")).field("rows").clone();
        replica.ok(format!("JOBQ.STATS q BY {by}")).field("rows").clone().is(seen.clone());
        s.ok("DEBUG RELOAD");
        s.ok(format!("JOBQ.STATS q BY {by}")).field("rows").clone().is(seen);
    }
}

#[test]
fn other_words_behind_by_are_refused() {
    let s = server!();
    let untouched = Untouched::on(&s);
    for wrong in ["BY", "BY group", "BY name BY kind", "BY name kind"] {
        untouched.refuses("q", format!("JOBQ.STATS q {wrong}"), "ERR");
    }
    let missing = s.ok(cmd!["JOBQ.STATS", "missing", "BY", "NAME", "SERIES", "5"]);
    assert_eq!(missing.field("rows").items().len(), 1);
    missing.field("series").clone().is(list![]);
}
