//! JOBQ.CRON on a live server: runs come at their times whether anybody looks or not, once each.

use crate::support::{Client, Reply, Server, Untouched, cmd, eventually, list, nil, server, status};

pub(super) const HOUR: i64 = 3_600_000;

/// The one schedule of that name.
#[track_caller]
pub(super) fn schedule(s: &Client, queue: &str, name: &str) -> Reply {
    let all = s.ok(format!("JOBQ.CRON LIST {queue}"));
    let found = all.items().iter().find(|schedule| schedule.field("name").text() == name).cloned();
    found.unwrap_or_else(|| panic!("no schedule {name} in {all:?}"))
}

#[track_caller]
pub(super) fn next(s: &Client, queue: &str, name: &str) -> i64 {
    schedule(s, queue, name).field("next_ms").int()
}

/// Moves the module's clock to shortly before or after a time; how far it is ahead of the server's
/// then.
#[track_caller]
pub(super) fn clock_at(s: &Server, time: i64) -> i64 {
    let ahead = time - s.now();
    s.ok(format!("WORKGATE.TEST CLOCK {ahead}"));
    ahead
}

pub(super) fn pushed(s: &Client, queue: &str) -> i64 {
    s.ok(format!("JOBQ.STATS {queue}")).field("pushed").int()
}

/// All ids that can be popped; each is acknowledged.
pub(super) fn work_off(s: &Client, queue: &str) -> Vec<String> {
    let jobs = s.ok(format!("JOBQ.POP {queue} COUNT 1000"));
    let done = jobs.items().iter().map(|job| {
        let id = job.at(0).text();
        s.ok(cmd!["JOBQ.ACK", queue, &id, job.at(1).int()]);
        id
    });
    done.collect()
}

#[test]
fn a_schedule_fires_though_nobody_touches_the_queue() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "tick", "* * * * * *", "payload", "OVERLAP"]).is(status("OK"));
    let first = next(&s, "q", "tick");
    assert_eq!(first % 1_000, 0);
    // STATS only reads: somebody else must have pushed it.
    eventually("two runs are there", || s.ok("JOBQ.STATS q").field("ready").int() >= 2);
    let job = s.ok("JOBQ.POP q").at(0).clone();
    job.at(0).clone().is(format!("tick@{first}").as_str());
    job.at(2).clone().is("payload");
    assert_eq!(s.ok("JOBQ.POP q").at(0).at(0).text(), format!("tick@{}", first + 1_000));
}

#[test]
fn a_waiting_pop_is_served_at_the_time_and_not_before() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "hourly", "0 * * * *", "p"]);
    let due = next(&s, "q", "hourly");
    assert!(due % HOUR == 0 && due > s.now() && due <= s.now() + HOUR);
    let w = s.waits("JOBQ.POP q BLOCK 1m LEASE 10m");
    let ahead = clock_at(&s, due - 300);
    w.still_waits(&s);
    let job = w.reply().at(0).clone();
    assert!(s.now() + ahead >= due, "never early");
    assert!(s.now() + ahead < due + 5_000, "nor much later");
    job.at(0).clone().is(format!("hourly@{due}").as_str());
    // A waiter that was there before the schedule, too.
    let w = s.waits("JOBQ.POP q BLOCK 1m");
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "often", "* * * * * *", "p"]);
    assert!(w.reply().at(0).at(0).text().starts_with("often@"));
}

#[test]
fn a_pop_at_the_very_time_sees_the_job() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "daily", "0 2 * * *", "p", "TZ", "Europe/Berlin"]);
    let due = next(&s, "q", "daily");
    // In one transaction, so that no timer comes between.
    let ahead = due - s.now() + 50;
    let replies = s.transaction([&format!("WORKGATE.TEST CLOCK {ahead}"), "JOBQ.POP q"]);
    replies[1].at(0).at(0).clone().is(format!("daily@{due}").as_str());
}

#[test]
fn the_list_shows_the_schedules_by_name() {
    let s = server!();
    s.ok("JOBQ.CRON LIST nothing").is(list![]);
    s.ok(cmd![
        "JOBQ.CRON",
        "SET",
        "q",
        "b",
        "30 4 * * MON-FRI",
        "12345",
        "TZ",
        "europe/berlin",
        "CATCHUP",
        "one"
    ]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", b"a\0\xff", "@hourly", "p", "OVERLAP", "NAME", "n", "PRIORITY", "5"]);
    let all = s.ok("JOBQ.CRON LIST q");
    assert_eq!(all.items().len(), 2);
    all.at(0).field("name").clone().is(&b"a\0\xff"[..]);
    let b = schedule(&s, "q", "b");
    for (field, text) in [("cron", "30 4 * * MON-FRI"), ("tz", "Europe/Berlin"), ("catchup", "one")] {
        b.field(field).clone().is(text);
    }
    for field in ["last_ms", "last_id"] {
        b.field(field).clone().is(nil());
    }
    for (field, number) in [("overlap", 0), ("running", 0), ("payload_bytes", 5)] {
        b.field(field).clone().is(number);
    }
    assert!(b.field("next_ms").int() > s.now());
    let id = s.ok(cmd!["JOBQ.CRON", "RUN", "q", "b"]).at(0).text();
    let b = schedule(&s, "q", "b");
    b.field("last_id").clone().is(id.as_str());
    assert_eq!(format!("b@{}", b.field("last_ms").int()), id);
    b.field("running").clone().is(1);
    // RESP3 has maps.
    let c = s.client3();
    assert_eq!(c.ok("JOBQ.CRON LIST q").at(1).fields().len(), 14);
}

#[test]
fn set_delete_and_run_say_the_same_again_without_a_change() {
    let s = server!();
    let set = cmd!["JOBQ.CRON", "SET", "q", "s", "0 2 * * *", "p", "TZ", "Asia/Tokyo", "RETRIES", "5"];
    s.ok(set.clone()).is(status("OK"));
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok(set.clone()).is(status("OK")));
    untouched.during("q", || s.ok("JOBQ.CRON LIST q"));
    let due = next(&s, "q", "s");
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 2 * * *", "other", "TZ", "Asia/Tokyo", "RETRIES", "5"]);
    assert_eq!(next(&s, "q", "s"), due);
    let run = s.ok("JOBQ.CRON RUN q s");
    run.at(1).clone().is("NEW");
    let id = run.at(0).text();
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.CRON RUN q s").is(list![id.as_str(), "DUP"]));
    s.ok("JOBQ.POP q").at(0).at(2).clone().is("other");
    s.ok("JOBQ.CRON DEL q s").is(1);
    let untouched = Untouched::on(&s);
    untouched.during("q", || s.ok("JOBQ.CRON DEL q s").is(0));
    s.ok("JOBQ.CRON LIST q").is(list![]);
    s.ok(format!("JOBQ.GET q {id}")).field("state").clone().is("active");
}

#[test]
fn a_queue_of_schedules_alone_stays_and_is_listed() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "@yearly", "p"]);
    s.ok("TYPE q").is(status("workgateQ"));
    s.ok("JOBQ.QUEUES").is(list!["0", list!["q"]]);
    assert_eq!(s.info("workgate_queues_with_schedules"), "1");
    s.ok("JOBQ.CRON DEL q s");
    s.ok("EXISTS q").is(1);
    assert_eq!(s.info("workgate_queues_with_schedules"), "0");
}

#[test]
fn malformed_schedules_are_refused_and_change_nothing() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 2 * * *", "p"]);
    let untouched = Untouched::on(&s);
    for pattern in ["", "* * * *", "* * * * * * *", "60 * * * *", "0 0 30 2 *", "every\r\nday"] {
        let text = untouched.refuses("q", cmd!["JOBQ.CRON", "SET", "q", "s", pattern, "p"], "ERR cron '");
        assert!(!text.contains('\n'));
        untouched.refuses("new", cmd!["JOBQ.CRON", "SET", "new", "s", pattern, "p"], "ERR cron '");
    }
    let set = |options: &str| {
        let mut call = cmd!["JOBQ.CRON", "SET", "q", "other", "0 2 * * *", "p"];
        call.extend(options.split(' ').map(|word| word.as_bytes().to_vec()));
        call
    };
    for options in [
        "TZ",
        "TZ Europe/Atlantis",
        "TZ +01:00",
        "TZ UTC TZ UTC",
        "CATCHUP",
        "CATCHUP some",
        "CATCHUP one CATCHUP one",
        "OVERLAP OVERLAP",
        "OVERLAP yes",
        "ID a",
        "ID a MATCH",
        "MATCH",
        "DELAY 1s",
        "AT 5",
        "AFTER 1 a",
        "ONDEAD run",
        "RETRIES x",
        "BACKOFF 5",
        "LEASE 5",
        "NONSENSE",
    ] {
        untouched.refuses("q", set(options), "ERR");
    }
    for option in ["ID a", "MATCH", "DELAY 1s", "AT 5", "AFTER 1 a", "ONDEAD run"] {
        let text = untouched.refuses("q", set(option), "ERR");
        assert!(text.contains("is not for schedules"), "{text}");
    }
    let text = untouched.refuses("q", set("TZ Europe/Atlantis"), "ERR TZ 'Europe/Atlantis'");
    assert!(text.contains("IANA"), "{text}");
    for name in [&b""[..], b"#s", &[b's'; 101]] {
        untouched.refuses("q", cmd!["JOBQ.CRON", "SET", "q", name, "0 2 * * *", "p"], "ERR name");
    }
    untouched.refuses(
        "q",
        cmd!["JOBQ.CRON", "SET", "q", "s", "0 2 * * *", vec![b'x'; (1 << 20) + 1]],
        "TOOBIG",
    );
    untouched.refuses("q", "JOBQ.CRON RUN q unknown", "NOJOB");
    untouched.refuses("new", "JOBQ.CRON RUN new s", "NOJOB");
    untouched.during("new", || s.ok("JOBQ.CRON DEL new s").is(0));
    for call in
        ["JOBQ.CRON", "JOBQ.CRON SET q s", "JOBQ.CRON LIST", "JOBQ.CRON RUN q", "JOBQ.CRON NONSENSE q"]
    {
        untouched.refuses("q", call, "ERR");
    }
}

#[test]
fn a_pattern_with_a_wrong_field_is_refused_with_the_field_in_the_text() {
    let s = server!();
    for (pattern, field) in [
        ("0 9 MON * *", "day of month 'MON'"),
        ("0 9 * * JAN", "day of week 'JAN'"),
        ("*/5MON * * * *", "minute '*/5MON'"),
        ("0 9 * * 5#3L", "day of week '5#3L'"),
        ("0 9 LW3 * *", "day of month 'LW3'"),
        ("0 0 1,15, * *", "day of month '1,15,'"),
        ("*/90 * * * * *", "second '*/90'"),
        ("0 0 1 13 *", "month '13'"),
        ("0 5-1 * * *", "hour '5-1'"),
    ] {
        let set = cmd!["JOBQ.CRON", "SET", "q", "s", pattern, "p"];
        s.refuses(set, &format!("ERR cron '{pattern}': {field}: expected "));
    }
    s.refuses(cmd!["JOBQ.CRON", "SET", "q", "s", "@noon", "p"], "ERR cron '@noon': no such nickname");
    s.ok("EXISTS q").is(0);
    for pattern in ["@midnight", "0/15 * * * *", "0 0 */1 * MON"] {
        s.ok(cmd!["JOBQ.CRON", "SET", "q", pattern, pattern, "p"]).is(status("OK"));
    }
    let next = |name: &str| next(&s, "q", name);
    assert_eq!(next("@midnight") % (24 * HOUR), 0);
    assert_eq!(next("0/15 * * * *") % (HOUR / 4), 0);
    // 1 January 1970 was a Thursday.
    assert_eq!(next("0 0 */1 * MON") % (7 * 24 * HOUR), 4 * 24 * HOUR);
}

#[test]
fn lists_and_ranges_keep_to_the_rule_where_clocks_change() {
    let s = server!();
    let set = |name: &str, pattern: &str, zone: &str| {
        s.ok(cmd!["JOBQ.CRON", "SET", "q", name, pattern, "p", "TZ", zone]).is(status("OK"));
        next(&s, "q", name)
    };
    // 2031-03-30 01:00 in UTC: clocks in Berlin go from 02:00 to 03:00.
    let gap = 1_932_598_800_000;
    clock_at(&s, gap - 13 * HOUR);
    for pattern in ["0 2,14 30 3 *", "0 2 30 3 *", "0,30 2 30 3 *", "15-20 2 30 3 *"] {
        assert_eq!(set("s", pattern, "Europe/Berlin"), gap, "{pattern}");
    }
    set("s", "0 2,14 30 3 *", "Europe/Berlin");
    clock_at(&s, gap);
    eventually("the run after the gap is there", || pushed(&s, "q") == 1);
    assert_eq!(work_off(&s, "q"), [format!("s@{gap}")]);
    assert_eq!(next(&s, "q", "s"), gap + 11 * HOUR);
    // 2031-11-02 06:00 in UTC: clocks in New York go from 02:00 back to 01:00.
    let back = 1_951_365_600_000;
    clock_at(&s, back - HOUR - 1_000);
    assert_eq!(set("n", "0,30 1 * * *", "America/New_York"), back - HOUR);
    clock_at(&s, back - 1_000);
    assert_eq!(set("n", "0,30 1 * * *", "America/New_York"), back + 24 * HOUR);
    assert_eq!(set("w", "*/30 1 * * *", "America/New_York"), back);
}

#[test]
fn an_interval_is_due_at_every_multiple_from_its_set_or_its_start() {
    let s = server!();
    let set = |name: &str, options: &[&str]| {
        let mut call = cmd!["JOBQ.CRON", "SET", "q", name, "@every 90s", "p"];
        call.extend(options.iter().map(|word| word.as_bytes().to_vec()));
        s.ok(call).is(status("OK"));
        next(&s, "q", name)
    };
    let before = s.now();
    let due = set("plain", &[]);
    assert!((before..=s.now()).contains(&(due - 90_000)), "{before} {due}");
    schedule(&s, "q", "plain").field("tz").clone().is(nil());
    let start = before + HOUR + 7;
    assert_eq!(set("later", &["START", &start.to_string()]), start);
    let past = before - HOUR - 7;
    assert_eq!((set("past", &["START", &past.to_string()]) - past) % 90_000, 0);
    // The same again, and another payload, keep the times.
    assert_eq!(set("plain", &[]), due);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "plain", "@every 90s", "other"]);
    assert_eq!(next(&s, "q", "plain"), due);
    s.ok("JOBQ.CRON DEL q later");
    s.ok("JOBQ.CRON DEL q past");
    clock_at(&s, due);
    eventually("the first run is there", || pushed(&s, "q") == 1);
    assert_eq!(next(&s, "q", "plain"), due + 90_000);
    assert_eq!(work_off(&s, "q"), [format!("plain@{due}")]);
    clock_at(&s, due + 90_000);
    eventually("the second run is there", || pushed(&s, "q") == 2);
    assert_eq!(work_off(&s, "q"), [format!("plain@{}", due + 90_000)]);
}

#[test]
fn a_schedule_makes_its_runs_from_start_to_end_and_no_more_than_runs() {
    let s = server!();
    let start = s.now() + 3_000_000;
    let end = start + 2_000;
    for (name, options) in [
        ("window", format!("START {start} END {end}")),
        ("runs", format!("START {start} RUNS 2")),
        ("both", format!("START {start} END {end} RUNS 9")),
    ] {
        let mut call = cmd!["JOBQ.CRON", "SET", name, "s", "@every 1s", "p", "OVERLAP", "CATCHUP", "all"];
        call.extend(options.split(' ').map(|word| word.as_bytes().to_vec()));
        s.ok(call.clone()).is(status("OK"));
        assert_eq!(next(&s, name, "s"), start);
        let untouched = Untouched::on(&s);
        untouched.during(name, || s.ok(call.clone()).is(status("OK")));
    }
    let shown = schedule(&s, "both", "s");
    for (field, number) in [("start_ms", start), ("end_ms", end), ("runs", 9), ("made", 0)] {
        shown.field(field).clone().is(number);
    }
    schedule(&s, "window", "s").field("runs").clone().is(nil());
    schedule(&s, "runs", "s").field("end_ms").clone().is(nil());
    // A run by hand does not count.
    let by_hand = s.ok("JOBQ.CRON RUN runs s").at(0).text();
    clock_at(&s, start + HOUR);
    for (name, made) in [("window", 3), ("runs", 2), ("both", 3)] {
        eventually("all runs are there", || schedule(&s, name, "s").field("made").int() == made);
        schedule(&s, name, "s").field("next_ms").clone().is(nil());
        let mut worked = work_off(&s, name);
        worked.retain(|id| *id != by_hand);
        let all: Vec<String> = (0..made).map(|nth| format!("s@{}", start + nth * 1_000)).collect();
        assert_eq!(worked, all);
    }
    // The pattern stays, so the count does: one more.
    let now = s.now();
    s.ok(cmd!["JOBQ.CRON", "SET", "runs", "s", "@every 1s", "other", "START", start, "RUNS", 3, "OVERLAP"]);
    assert!(next(&s, "runs", "s") > now);
    eventually("the third run is there", || schedule(&s, "runs", "s").field("made").int() == 3);
    schedule(&s, "runs", "s").field("next_ms").clone().is(nil());
    // Another pattern starts a new count.
    s.ok(cmd!["JOBQ.CRON", "SET", "runs", "s", "@every 2h", "other", "RUNS", 3]);
    schedule(&s, "runs", "s").field("made").clone().is(0);
}

#[test]
fn wrong_intervals_and_windows_are_refused_and_change_nothing() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "@daily", "p"]);
    let untouched = Untouched::on(&s);
    for (pattern, options, says) in [
        ("@every 500ms", "", "ERR cron '@every 500ms': the interval '500ms': must be between 1s and 3650d"),
        ("@every 90", "", "ERR cron '@every 90': the interval '90': write 90s"),
        ("@every", "", "ERR cron '@every': the interval ''"),
        ("@every 90s", "TZ UTC", "ERR TZ is not for @every"),
        ("@daily", "START soon", "ERR START"),
        ("@daily", "START -1", "ERR START"),
        ("@daily", "START 5 START 5", "ERR"),
        ("@daily", "END", "ERR END"),
        ("@daily", "START 6 END 5", "ERR END '5': must not be before START '6'"),
        ("@daily", "END 5", "ERR END '5': the schedule would never be due"),
        ("@daily", "START 4102444801000 END 4102444802000", "ERR END '4102444802000': the schedule would"),
        ("@daily", "RUNS 0", "ERR RUNS"),
        ("@daily", "RUNS many", "ERR RUNS"),
    ] {
        let mut call = cmd!["JOBQ.CRON", "SET", "q", "t", pattern, "p"];
        call.extend(options.split_ascii_whitespace().map(|word| word.as_bytes().to_vec()));
        untouched.refuses("q", call, says);
    }
}

#[test]
fn catch_up_makes_the_runs_of_the_last_minute_before_the_return_too() {
    let s = server!();
    for (queue, catch_up) in [("all", "all"), ("one", "one"), ("skip", "skip")] {
        s.ok(cmd!["JOBQ.CRON", "SET", queue, "s", "*/20 * * * * *", "p", "CATCHUP", catch_up]);
    }
    let due = next(&s, "all", "s");
    for queue in ["all", "one", "skip"] {
        s.ok(format!("JOBQ.PAUSE {queue} PUSHES"));
    }
    // 105 s after the last time that was not missed.
    clock_at(&s, due + 85_000);
    for queue in ["all", "one", "skip"] {
        s.ok(format!("JOBQ.RESUME {queue}"));
    }
    eventually("the others are up to date", || {
        ["one", "skip"].iter().all(|queue| next(&s, queue, "s") > due + 85_000)
    });
    let first = |queue: &str| work_off(&s, queue).first().cloned();
    assert_eq!(first("one"), Some(format!("s@{due}")));
    assert!(first("skip").is_none_or(|id| id >= format!("s@{}", due + 100_000)));
    let mut worked = Vec::new();
    eventually("all that were missed are worked off", || {
        worked.extend(work_off(&s, "all"));
        worked.len() >= 5
    });
    let missed: Vec<String> = (0..5).map(|nth| format!("s@{}", due + nth * 20_000)).collect();
    assert_eq!(worked[..5], missed);
}

#[test]
fn a_queue_has_at_most_a_thousand_schedules_which_all_fire() {
    let s = server!();
    let set = |i: usize| cmd!["JOBQ.CRON", "SET", "q", format!("s{i}"), "0 0 1 1 *", "p"];
    let replies = s.pipeline((0..1_000).map(set));
    assert!(replies.iter().all(|reply| !reply.is_error()));
    s.refuses(set(1_000), "FULL");
    s.ok(set(999)).is(status("OK"));
    clock_at(&s, next(&s, "q", "s0"));
    eventually("all have fired", || s.ok("JOBQ.STATS q").field("ready").int() == 1_000);
    let latency = s.ok("JOBQ.CRON LIST q");
    assert_eq!(latency.items().len(), 1_000);
}

#[test]
fn a_schedule_fires_where_its_key_has_gone() {
    let s = server!();
    let set = |key: &str| drop(s.ok(cmd!["JOBQ.CRON", "SET", key, "s", "0 0 1 1 *", "p"]));
    for key in ["renamed", "moved", "copied", "swapped", "deleted", "dumped", "stays"] {
        set(key);
    }
    let due = next(&s, "stays", "s");
    s.ok("RENAME renamed here");
    s.ok("MOVE moved 1");
    s.ok("COPY copied copy");
    let dump = s.ok("DUMP dumped").bytes().to_vec();
    s.ok("DEL dumped deleted");
    s.ok(cmd!["RESTORE", "restored", 0, dump]);
    s.ok("SELECT 2");
    set("elsewhere");
    s.ok("SWAPDB 2 3");
    s.ok("SELECT 5");
    set("flushed");
    s.ok("FLUSHDB");
    s.ok("SELECT 0");
    clock_at(&s, due);
    let fired = |db: i64, key: &str| {
        s.ok(format!("SELECT {db}"));
        eventually("it has fired", || pushed(&s, key) == 1);
        s.ok("SELECT 0");
    };
    for key in ["here", "copied", "copy", "restored", "stays", "swapped"] {
        fired(0, key);
    }
    fired(1, "moved");
    fired(3, "elsewhere");
    s.ok("EXISTS renamed moved deleted dumped").is(0);
}

#[test]
fn missed_runs_are_caught_up_with_as_asked() {
    let s = server!();
    for (catch_up, overlap) in [("skip", ""), ("one", ""), ("all", ""), ("all", "OVERLAP")] {
        let queue = format!("{catch_up}{overlap}");
        let mut call = cmd!["JOBQ.CRON", "SET", &queue, "s", "0 * * * *", "p", "CATCHUP", catch_up];
        call.extend((!overlap.is_empty()).then(|| overlap.as_bytes().to_vec()));
        s.ok(call);
    }
    let due = next(&s, "skip", "s");
    clock_at(&s, due + 3 * HOUR - 120_000);
    eventually("all are up to date", || {
        ["skip", "one", "allOVERLAP"].iter().all(|queue| next(&s, queue, "s") == due + 3 * HOUR)
    });
    assert_eq!(work_off(&s, "skip"), Vec::<String>::new());
    assert_eq!(work_off(&s, "one"), [format!("s@{due}")]);
    let all: Vec<String> = (0..3).map(|nth| format!("s@{}", due + nth * HOUR)).collect();
    assert_eq!(work_off(&s, "allOVERLAP"), all);
    // The runs follow one another: each begins when the last one is done, without a command.
    let mut worked = Vec::new();
    eventually("all are worked off", || {
        assert!(s.ok("JOBQ.STATS all").field("ready").int() <= 1);
        worked.extend(work_off(&s, "all"));
        worked.len() == 3
    });
    assert_eq!(worked, all);
    assert_eq!(next(&s, "all", "s"), due + 3 * HOUR);
}
