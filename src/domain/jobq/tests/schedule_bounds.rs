//! Intervals, START, END and RUNS, and what counts as missed.

use super::harness::*;
use super::schedules::{at, finish, ms, next, planned, runs, settle, world_at};
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::{MINUTE, SECOND, UnixMs};

fn next_ms(world: &World) -> Option<UnixMs> {
    schedules(world.primary.as_ref(), world.now)[0].entry.next
}

fn made(world: &World) -> u64 {
    schedules(world.primary.as_ref(), world.now)[0].entry.progress.made
}

fn bounded(pattern: &str, bounds: RunBounds) -> SetSchedule<'_> {
    SetSchedule { overlap: true, catch_up: CatchUp::All, bounds, ..planned(b"s", pattern) }
}

#[test]
fn an_interval_is_counted_from_its_set_to_the_millisecond() {
    let mut world = world_at("2026-11-21T12:00:30.123Z");
    let plan = planned(b"s", "@every 90s");
    world.set_schedule(&plan).unwrap();
    assert_eq!(next(&world), "2026-11-21T12:02:00.123Z");
    // The same again changes nothing, and another payload no time.
    world.now += SECOND;
    let effects = world.effects;
    world.set_schedule(&plan).unwrap();
    assert_eq!(world.effects, effects);
    world.set_schedule(&SetSchedule { push: plain(b"other"), ..plan.clone() }).unwrap();
    at(&mut world, "2026-11-21T12:02:00.123Z");
    assert_eq!(runs(&world), ["2026-11-21T12:02:00.123Z"]);
    // A run that is made late does not move the others.
    finish(&mut world);
    at(&mut world, "2026-11-21T12:03:45Z");
    assert_eq!(runs(&world).last().unwrap(), "2026-11-21T12:03:30.123Z");
    assert_eq!(next(&world), "2026-11-21T12:05:00.123Z");
    // Another interval is counted from the SET that gives it.
    world.set_schedule(&SetSchedule { pattern: b"@every 1h", ..plan }).unwrap();
    assert_eq!(next(&world), "2026-11-21T13:03:45Z");
}

#[test]
fn an_interval_with_a_start_is_due_at_it_and_at_its_multiples() {
    let mut world = world_at("2026-11-21T12:00:00Z");
    let from = |text: &str| RunBounds { start: Some(ms(text)), ..RunBounds::default() };
    for (start, due) in [
        ("2026-11-21T13:00:07Z", "2026-11-21T13:00:07Z"),
        ("2026-11-21T11:59:00Z", "2026-11-21T12:00:30Z"),
        ("2026-11-21T12:00:00Z", "2026-11-21T12:01:30Z"),
    ] {
        world.set_schedule(&bounded("@every 90s", from(start))).unwrap();
        assert_eq!(next(&world), due, "{start}");
    }
}

#[test]
fn a_cron_pattern_is_due_from_its_start_to_its_end_both_included() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let (start, end) = (Some(ms("2026-11-21T12:10:00Z")), Some(ms("2026-11-21T12:20:00Z")));
    world.set_schedule(&bounded("*/5 * * * *", RunBounds { start, end, max_runs: None })).unwrap();
    assert_eq!(next(&world), "2026-11-21T12:10:00Z");
    at(&mut world, "2026-11-21T12:30:00Z");
    let all = ["2026-11-21T12:10:00Z", "2026-11-21T12:15:00Z", "2026-11-21T12:20:00Z"];
    assert_eq!(runs(&world), all);
    assert_eq!((next_ms(&world), made(&world), world.queue().next_run()), (None, 3, None));
    // A later END lets it go on.
    let later = RunBounds { start, end: Some(ms("2026-11-21T12:35:00Z")), max_runs: None };
    world.set_schedule(&bounded("*/5 * * * *", later)).unwrap();
    assert_eq!(next(&world), "2026-11-21T12:35:00Z");
}

#[test]
fn runs_counts_what_was_made_and_neither_what_was_left_out_nor_a_run_by_hand() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let bounds = RunBounds { max_runs: Some(2), ..RunBounds::default() };
    let plan = SetSchedule { bounds, ..planned(b"s", "* * * * *") };
    world.set_schedule(&plan).unwrap();
    world.run_now(b"s").unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    // The run by hand is unfinished, so this one was left out.
    assert_eq!(made(&world), 0);
    finish(&mut world);
    for (minute, count) in [("2026-11-21T12:02:00Z", 1), ("2026-11-21T12:03:00Z", 1)] {
        at(&mut world, minute);
        assert_eq!(made(&world), count);
    }
    finish(&mut world);
    at(&mut world, "2026-11-21T12:04:00Z");
    assert_eq!((made(&world), next_ms(&world)), (2, None));
    finish(&mut world);
    at(&mut world, "2026-11-21T13:00:00Z");
    assert_eq!(made(&world), 2);
    // The same pattern goes on counting, in another zone too; another pattern starts again.
    let zone = Zone::named(b"Asia/Tokyo").unwrap();
    world.set_schedule(&SetSchedule { zone, push: plain(b"other"), ..plan.clone() }).unwrap();
    assert_eq!((made(&world), next_ms(&world)), (2, None));
    let three = RunBounds { max_runs: Some(3), ..bounds };
    world.set_schedule(&SetSchedule { bounds: three, ..plan.clone() }).unwrap();
    assert_eq!(next(&world), "2026-11-21T13:01:00Z");
    world.set_schedule(&SetSchedule { pattern: b"*/2 * * * *", ..plan }).unwrap();
    assert_eq!((made(&world), &*next(&world)), (0, "2026-11-21T13:02:00Z"));
}

#[test]
fn one_that_would_never_be_due_is_refused_unless_it_has_run_to_its_end() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let end = |text: &str| RunBounds { end: Some(ms(text)), ..RunBounds::default() };
    for past in ["2026-11-21T12:00:59Z", "2026-01-01T00:00:00Z"] {
        let refusal = world.set_schedule(&bounded("* * * * *", end(past))).unwrap_err();
        assert!(refusal.code == Code::Err && refusal.text.starts_with("END '"), "{refusal}");
    }
    let plan = bounded("* * * * *", end("2026-11-21T12:01:00Z"));
    world.set_schedule(&plan).unwrap();
    at(&mut world, "2026-11-21T12:05:00Z");
    let effects = world.effects;
    world.set_schedule(&plan).unwrap();
    assert_eq!(world.effects, effects);
    world.set_schedule(&SetSchedule { push: plain(b"other"), ..plan.clone() }).unwrap();
    assert_eq!(next_ms(&world), None);
    assert!(world.set_schedule(&SetSchedule { pattern: b"*/2 * * * *", ..plan }).is_err());
}

/// Every 20 s, as when the queue was closed for 105 s.
fn missed(catch_up: CatchUp) -> World {
    let mut world = world_at("2026-11-21T12:00:00Z");
    world.set_schedule(&SetSchedule { catch_up, ..planned(b"s", "*/20 * * * * *") }).unwrap();
    at(&mut world, "2026-11-21T12:01:45Z");
    world
}

#[test]
fn what_is_due_within_a_minute_of_the_return_is_caught_up_with_too() {
    assert_eq!(runs(&missed(CatchUp::Skip)), Vec::<String>::new());
    assert_eq!(next(&missed(CatchUp::Skip)), "2026-11-21T12:02:00Z");
    assert_eq!(runs(&missed(CatchUp::One)), ["2026-11-21T12:00:20Z"]);
    assert_eq!(next(&missed(CatchUp::One)), "2026-11-21T12:02:00Z");
    let mut world = missed(CatchUp::All);
    let seconds = [(0, 20), (0, 40), (1, 0), (1, 20), (1, 40)];
    let all = seconds.map(|(minute, second)| format!("2026-11-21T12:{minute:02}:{second:02}Z"));
    for made in 1..=5 {
        assert_eq!(runs(&world), all[..made]);
        finish(&mut world);
        settle(&mut world);
    }
    assert_eq!((runs(&world).len(), &*next(&world)), (5, "2026-11-21T12:02:00Z"));
}

#[test]
fn a_slow_worker_catches_up_with_all_that_was_missed_at_the_return() {
    let mut world = missed(CatchUp::All);
    for made in 2..=5 {
        // The last ones are by then due for less than a minute, or have been missed in their turn.
        world.now += 5 * SECOND;
        finish(&mut world);
        settle(&mut world);
        assert_eq!(runs(&world).len(), made);
    }
    // Those that came meanwhile and are not missed are left out as long as the last one is
    // unfinished.
    world.now += MINUTE - 45 * SECOND;
    settle(&mut world);
    assert_eq!(runs(&world).len(), 5);
}
