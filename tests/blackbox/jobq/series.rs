//! How much happens in a queue: the rates of JOBQ.STATS and its SERIES.

use crate::support::{Client, Reply, Server, Untouched, list, server};

const MINUTE: i64 = 60_000;

/// The module's clock, in minutes ahead of the server's.
fn ahead(s: &Server, minutes: i64) {
    s.ok(format!("WORKGATE.TEST CLOCK {}", minutes * MINUTE));
}

fn series(s: &Client, count: u64) -> Vec<Vec<i64>> {
    series_of(s, "q", count)
}

fn series_of(s: &Client, key: &str, count: u64) -> Vec<Vec<i64>> {
    let rows = s.ok(format!("JOBQ.STATS {key} SERIES {count}")).field("series").clone();
    rows.items().iter().map(|row| row.items().iter().map(Reply::int).collect()).collect()
}

/// Pushes, pops and acknowledges; one more job dies.
fn work(s: &Server, jobs: usize) {
    for _ in 0..jobs {
        s.ok("JOBQ.PUSH q p");
        let job = s.ok("JOBQ.POP q LEASE 1h").at(0).clone();
        s.ok(format!("JOBQ.ACK q {} {}", job.at(0).text(), job.at(1).int()));
    }
    s.ok("JOBQ.PUSH q p RETRIES 0 KEEP 7d");
    let job = s.ok("JOBQ.POP q LEASE 1h").at(0).clone();
    s.ok(format!("JOBQ.FAIL q {} {}", job.at(0).text(), job.at(1).int()));
}

/// Not within three seconds of a full minute of the server's clock.
fn within_a_minute(s: &Server) {
    let left = MINUTE - s.now() % MINUTE;
    if left < 3_000 {
        s.goes_on(left + 5);
    }
}

#[test]
fn each_minute_in_which_something_happened_has_a_row() {
    let s = server!();
    within_a_minute(&s);
    let first = s.now() / MINUTE * MINUTE;
    work(&s, 3);
    assert_eq!(series(&s, 1), [[first, 4, 4, 3, 1, 1, 0]]);
    ahead(&s, 2);
    work(&s, 1);
    s.ok("JOBQ.PUSH q p EXPIRE 1ms");
    s.goes_on(3);
    s.ok("JOBQ.POP q");
    let third = [first + 2 * MINUTE, 3, 2, 1, 1, 1, 1];
    assert_eq!(series(&s, 3), [[first, 4, 4, 3, 1, 1, 0], third]);
    assert_eq!(series(&s, 2), [third]);
    assert_eq!(series(&s, 1_440).len(), 2);
    ahead(&s, 5);
    assert_eq!(series(&s, 3), Vec::<Vec<i64>>::new());
    assert_eq!(series(&s, 4), [third]);
}

#[test]
fn rates_are_those_of_the_last_full_minute() {
    let s = server!();
    let fields = [
        "pushed_per_min",
        "popped_per_min",
        "done_per_min",
        "failed_per_min",
        "dead_per_min",
        "expired_per_min",
    ];
    let rates = || {
        let stats = s.ok("JOBQ.STATS q");
        fields.map(|field| stats.field(field).int())
    };
    within_a_minute(&s);
    work(&s, 2);
    assert_eq!(rates(), [0; 6], "the minute is not over");
    ahead(&s, 1);
    assert_eq!(rates(), [3, 3, 2, 1, 1, 0]);
    work(&s, 1);
    assert_eq!(rates(), [3, 3, 2, 1, 1, 0]);
    ahead(&s, 2);
    assert_eq!(rates(), [2, 2, 1, 1, 1, 0]);
    ahead(&s, 3);
    assert_eq!(rates(), [0; 6]);
}

#[test]
fn a_day_is_looked_back_upon_and_survives() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    within_a_minute(&s);
    let first = s.now() / MINUTE;
    for minute in (0..1_600).step_by(40) {
        ahead(&s, minute);
        s.ok("JOBQ.PUSH q p");
    }
    let rows = series(&s, 1_440);
    assert_eq!(rows.len(), 36);
    let begun = |row: &Vec<i64>| row[0] / MINUTE - first;
    assert_eq!((begun(&rows[0]), begun(&rows[35])), (160, 1_560));
    s.in_step_with(&r);
    r.ok("WORKGATE.TEST CLOCK 93600000");
    assert_eq!(series(&r, 1_440), rows);
    s.ok("DEBUG RELOAD");
    assert_eq!(series(&s, 1_440), rows);
    s.crash_and_restart();
    ahead(&s, 1_560);
    assert_eq!(series(&s, 1_440), rows);
    s.ok("COPY q copy");
    assert_eq!(series_of(&s, "copy", 1_440), rows);
}

#[test]
fn looking_changes_nothing_and_a_wrong_call_says_why() {
    let s = server!();
    s.ok("JOBQ.PUSH q p");
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.STATS q SERIES 60"));
    for wrong in ["SERIES", "SERIES 0", "SERIES 1441", "SERIES 1h", "MINUTES 5", "SERIES 1 SERIES 1"] {
        untouched.refuses("q", format!("JOBQ.STATS q {wrong}"), "ERR");
    }
    s.ok("JOBQ.STATS missing SERIES 60").field("series").clone().is(list![]);
}
