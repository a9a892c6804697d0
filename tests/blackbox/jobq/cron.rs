//! JOBQ.CRON on a live server: runs come at their times whether anybody looks or not, once each.

use crate::support::{
    Client, Reply, Server, Snapshot, Untouched, any, cmd, eventually, list, nil, server, status,
};

const HOUR: i64 = 3_600_000;

/// The one schedule of that name.
#[track_caller]
fn schedule(s: &Client, queue: &str, name: &str) -> Reply {
    let all = s.ok(format!("JOBQ.CRON LIST {queue}"));
    let found = all.items().iter().find(|schedule| schedule.field("name").text() == name).cloned();
    found.unwrap_or_else(|| panic!("no schedule {name} in {all:?}"))
}

#[track_caller]
fn next(s: &Client, queue: &str, name: &str) -> i64 {
    schedule(s, queue, name).field("next_ms").int()
}

/// Moves the module's clock to shortly before or after a time; how far it is ahead of the server's then.
#[track_caller]
fn clock_at(s: &Server, time: i64) -> i64 {
    let ahead = time - s.now();
    s.ok(format!("WORKGATE.TEST CLOCK {ahead}"));
    ahead
}

fn pushed(s: &Client, queue: &str) -> i64 {
    s.ok(format!("JOBQ.STATS {queue}")).field("pushed").int()
}

/// All ids that can be popped; each is acknowledged.
fn work_off(s: &Client, queue: &str) -> Vec<String> {
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
        ("@every 500ms", "", "ERR cron '@every 500ms': the interval must be between 1s and 3650d"),
        ("@every 90", "", "ERR cron '@every 90': the interval '90': write 90s or 90ms"),
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

#[test]
fn what_a_primary_has_decided_its_replica_and_its_file_repeat() {
    let mut s = server!("appendonly yes", "appendfsync always");
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "all", "0 * * * *", "p", "CATCHUP", "all", "TZ", "Europe/Berlin"]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "one", "*/7 * * * *", "p", "CATCHUP", "one", "OVERLAP", "META", "m"]);
    let bounds = ["START", "5", "END", "8000000000000", "RUNS", "3"];
    let mut every = cmd!["JOBQ.CRON", "SET", "q", "every", "@every 1000s", "p", "CATCHUP", "all"];
    every.extend(bounds.map(|word| word.as_bytes().to_vec()));
    s.ok(every);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "gone", "@daily", "p"]);
    s.ok("JOBQ.CRON RUN q gone");
    s.ok("JOBQ.CRON DEL q gone");
    clock_at(&s, next(&s, "q", "all") + 5 * HOUR + 90_000);
    eventually("the runs are there", || pushed(&s, "q") >= 3);
    work_off(&s, "q");
    s.goes_on(50);
    s.in_step_with(&r);
    let want = Snapshot::of(&s);
    assert_eq!(Snapshot::of(&r), want);
    let late = s.replica(&[]);
    s.in_step_with(&late);
    assert_eq!(Snapshot::of(&late), want);
    drop(late);
    s.ok("JOBQ.CRON DEL q all");
    s.ok("JOBQ.CRON DEL q one");
    s.ok("JOBQ.CRON DEL q every");
    let want = Snapshot::of(&s);
    s.ok("DEBUG RELOAD");
    assert_eq!(Snapshot::of(&s), want);
    s.crash_and_restart();
    assert_eq!(Snapshot::of(&s), want);
}

#[test]
fn a_replica_and_a_paused_server_make_no_runs_of_their_own() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    s.in_step_with(&r);
    let due = next(&s, "q", "s");
    // On the replica it is past the time, on the primary not.
    clock_at(&r, due + 1_000);
    r.goes_on(200);
    assert_eq!(pushed(&r, "q"), 0);
    assert_eq!(next(&r, "q", "s"), due);
    s.ok("CLIENT PAUSE 400 WRITE");
    s.ok(format!("WORKGATE.TEST CLOCK {}", due - s.now()));
    s.goes_on(100);
    assert_eq!(pushed(&s, "q"), 0);
    eventually("it comes after the pause", || pushed(&s, "q") == 1);
    s.in_step_with(&r);
    assert_eq!(work_off(&s, "q"), [format!("s@{due}")]);
    s.lives();
}

#[test]
fn a_promoted_replica_goes_on_where_its_primary_was_and_doubles_nothing() {
    let mut s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p", "OVERLAP"]);
    let due = next(&s, "q", "s");
    clock_at(&s, due);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.in_step_with(&r);
    clock_at(&r, due + 500);
    s.kill();
    r.ok("REPLICAOF NO ONE");
    r.goes_on(200);
    assert_eq!((pushed(&r, "q"), next(&r, "q", "s")), (1, due + HOUR));
    assert_eq!(work_off(&r, "q"), [format!("s@{due}")]);
    // The schedule goes on without any command.
    clock_at(&r, due + HOUR);
    eventually("the next run is there", || pushed(&r, "q") == 2);
    assert_eq!(work_off(&r, "q"), [format!("s@{}", due + HOUR)]);
}

#[test]
fn a_replica_promoted_after_the_time_makes_the_run_that_its_primary_did_not() {
    let s = server!();
    let r = s.replica(&[]);
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    s.in_step_with(&r);
    let due = next(&s, "q", "s");
    clock_at(&r, due + 10_000);
    r.ok("REPLICAOF NO ONE");
    eventually("it is ten seconds late", || pushed(&r, "q") == 1);
    assert_eq!(work_off(&r, "q"), [format!("s@{due}")]);
}

#[test]
fn a_restart_around_the_time_makes_one_run() {
    for before in [true, false] {
        let mut s = server!("appendonly yes", "appendfsync always");
        s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "* * * * * *", "p", "CATCHUP", "all", "OVERLAP"]);
        let first = next(&s, "q", "s");
        if !before {
            eventually("the first run is there", || pushed(&s, "q") >= 1);
        }
        s.crash_and_restart();
        eventually("runs go on", || pushed(&s, "q") >= 4);
        let mut due: Vec<String> = work_off(&s, "q");
        due.truncate(4);
        let expected: Vec<String> = (0..4).map(|nth| format!("s@{}", first + nth * 1_000)).collect();
        assert_eq!(due, expected, "every second once, from the first on");
    }
}

#[test]
fn an_rdb_file_from_before_a_run_makes_it_again_under_the_same_id() {
    let mut s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p"]);
    let due = next(&s, "q", "s");
    s.ok("SAVE");
    clock_at(&s, due);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.crash_and_restart();
    // Its effect is lost with all that came after the file; so is nothing else.
    assert_eq!((pushed(&s, "q"), next(&s, "q", "s")), (0, due));
    clock_at(&s, due + 2_000);
    eventually("the run is there again", || pushed(&s, "q") == 1);
    assert_eq!(work_off(&s, "q"), [format!("s@{due}")]);
    // A worker that did it before is told by the id that it is the same: as a push of it is.
    s.ok(format!("JOBQ.PUSH q p ID s@{due}")).is(list![format!("s@{due}").as_str(), "DUP"]);
}

#[test]
fn a_clock_that_is_set_back_doubles_no_run() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "p", "OVERLAP"]);
    let due = next(&s, "q", "s");
    clock_at(&s, due + 100);
    eventually("the run is there", || pushed(&s, "q") == 1);
    clock_at(&s, due - 500);
    s.goes_on(700);
    s.ok("JOBQ.POP q COUNT 10");
    assert_eq!((pushed(&s, "q"), next(&s, "q", "s")), (1, due + HOUR));
}

#[test]
fn a_schedule_is_written_by_writers_and_read_by_readers() {
    let s = server!();
    s.ok(cmd!["JOBQ.CRON", "SET", "mine:q", "s", "@daily", "p"]);
    s.ok("ACL SETUSER limited on >secret ~mine:* &* +@all");
    let c = s.client();
    c.ok("AUTH limited secret");
    for call in ["SET other s @daily p", "DEL other s", "RUN other s", "LIST other"] {
        c.refuses(format!("JOBQ.CRON {call}"), "NOPERM");
    }
    c.ok("JOBQ.CRON LIST mine:q");
    s.ok("COMMAND GETKEYS JOBQ.CRON SET k s @daily p").is(list!["k"]);
    s.ok("COMMAND GETKEYS JOBQ.CRON LIST k").is(list!["k"]);
    s.ok(cmd!["EVAL_RO", "return #redis.call('JOBQ.CRON', 'LIST', KEYS[1])", 1, "mine:q"]).is(1);
    s.ok("CONFIG SET maxmemory 1");
    s.refuses("JOBQ.CRON SET mine:q t @daily p", "OOM");
    s.refuses("JOBQ.CRON RUN mine:q s", "OOM");
    s.ok("JOBQ.CRON LIST mine:q").is(list![any()]);
    s.ok("JOBQ.CRON DEL mine:q s").is(1);
}

#[test]
fn a_schedule_is_refused_where_the_server_may_evict_the_queue() {
    let s = server!();
    let set = |name: &str| cmd!["JOBQ.CRON", "SET", "q", name, "0 * * * *", "p", "OVERLAP"];
    s.ok(set("s"));
    s.ok("CONFIG SET maxmemory-policy allkeys-lru");
    s.ok("CONFIG SET maxmemory 10gb");
    let untouched = Untouched::on(&s);
    untouched.refuses("q", set("t"), "ERR the server may evict this queue");
    untouched.refuses("q", "JOBQ.CRON RUN q s", "ERR the server may evict this queue");
    untouched.refuses("new", cmd!["JOBQ.CRON", "SET", "new", "s", "@daily", "p"], "ERR the server may evict");
    // What changes nothing, or takes away, is not.
    untouched.during("q", || s.ok(set("s")).is(status("OK")));
    // A schedule that is there goes on.
    let due = next(&s, "q", "s");
    // Not at the very time: a run by hand then has the same id.
    clock_at(&s, due + 100);
    eventually("the run is there", || pushed(&s, "q") == 1);
    s.ok("CONFIG SET workgate.allow-eviction yes");
    s.ok(set("t")).is(status("OK"));
    s.ok("JOBQ.CRON RUN q s").at(1).clone().is("NEW");
    s.ok("CONFIG SET workgate.allow-eviction no");
    s.ok("JOBQ.CRON DEL q t").is(1);
}

#[test]
fn what_is_due_while_a_queue_is_closed_is_missed() {
    let s = server!();
    let set = |queue: &str, catch_up: &str| {
        s.ok(cmd!["JOBQ.CRON", "SET", queue, "s", "0 * * * *", "p", "CATCHUP", catch_up]);
    };
    for (queue, catch_up) in [("skip", "skip"), ("one", "one"), ("soon", "skip"), ("timed", "skip")] {
        set(queue, catch_up);
    }
    let due = next(&s, "skip", "s");
    for queue in ["skip", "one", "soon"] {
        s.ok(format!("JOBQ.PAUSE {queue} PUSHES"));
    }
    s.ok(format!("JOBQ.PAUSE timed FOR {}ms PUSHES", due - s.now() + 20_000));
    clock_at(&s, due + 10_000);
    s.goes_on(200);
    for queue in ["skip", "one", "soon", "timed"] {
        assert_eq!((pushed(&s, queue), next(&s, queue, "s")), (0, due), "{queue} takes no jobs");
        s.refuses(format!("JOBQ.CRON RUN {queue} s"), "PAUSED");
    }
    // Ten seconds late is not missed.
    s.ok("JOBQ.RESUME soon");
    eventually("it is made", || pushed(&s, "soon") == 1);
    clock_at(&s, due + 30_000);
    eventually("it comes when the pause is over, though nobody looks", || pushed(&s, "timed") == 1);
    clock_at(&s, due + 120_000);
    s.ok("JOBQ.RESUME skip");
    s.ok("JOBQ.RESUME one");
    eventually("both go on", || ["skip", "one"].iter().all(|queue| next(&s, queue, "s") == due + HOUR));
    assert_eq!(work_off(&s, "skip"), Vec::<String>::new());
    assert_eq!(work_off(&s, "one"), [format!("s@{due}")]);
}

#[test]
fn a_schedule_keeps_to_the_bounds_of_its_queue() {
    let s = server!();
    s.ok("JOBQ.CONFIG SET q max_length 2 max_payload 3");
    s.refuses(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "long"], "TOOBIG");
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "s", "0 * * * *", "abc", "OVERLAP"]);
    s.ok("JOBQ.PUSH q p ID a");
    let due = next(&s, "q", "s");
    clock_at(&s, due + 100);
    eventually("the first run has room", || pushed(&s, "q") == 2);
    s.refuses("JOBQ.CRON RUN q s", "FULL");
    clock_at(&s, due + HOUR);
    eventually("the second has none", || next(&s, "q", "s") == due + 2 * HOUR);
    assert_eq!(pushed(&s, "q"), 2);
    assert_eq!(work_off(&s, "q"), ["a".to_owned(), format!("s@{due}")]);
    // It keeps its own payload when less is allowed.
    s.ok("JOBQ.CONFIG SET q max_payload 2");
    clock_at(&s, due + 2 * HOUR);
    eventually("the third is made", || pushed(&s, "q") == 3);
    s.ok("JOBQ.POP q").at(0).at(2).clone().is("abc");
}
