//! Schedules, told one by one.

use super::harness::*;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::queue::schedule_runs::{MAX_CATCH_UP_RUNS, MISSED_AFTER_MS};
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::{DAY, HOUR, MINUTE, SECOND, UnixMs};
use crate::domain::value::Value;
use jiff::Timestamp;

pub(super) fn ms(text: &str) -> UnixMs {
    text.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

pub(super) fn world_at(text: &str) -> World {
    World { now: ms(text), ..World::new() }
}

/// A schedule in UTC without options.
pub(super) fn planned<'a>(name: &'a [u8], pattern: &'a str) -> SetSchedule<'a> {
    let zone = Zone::named(b"UTC").unwrap();
    let (catch_up, overlap, bounds) = (CatchUp::Skip, false, RunBounds::default());
    let push = plain(b"payload");
    SetSchedule { name, pattern: pattern.as_bytes(), zone, catch_up, overlap, bounds, push }
}

pub(super) fn ids(world: &World) -> Vec<String> {
    let all = world.primary.iter().flat_map(|queue| queue.jobs.iter());
    all.map(|(serial, job)| String::from_utf8(job.shown_id(serial).to_vec()).unwrap()).collect()
}

/// The times of the runs that there are.
pub(super) fn runs(world: &World) -> Vec<String> {
    let due = |id: &String| id.rsplit_once('@').unwrap().1.parse::<i64>().unwrap();
    ids(world).iter().map(|id| Timestamp::from_millisecond(due(id)).unwrap().to_string()).collect()
}

pub(super) fn next(world: &World) -> String {
    let queue = world.primary.as_ref();
    let next = schedules(queue, world.now)[0].entry.next.expect("a next time");
    Timestamp::from_millisecond(next as i64).unwrap().to_string()
}

/// Lets time pass without anyone at the queue, then does what is due as a write would, until
/// nothing is.
pub(super) fn at(world: &mut World, text: &str) {
    world.now = ms(text);
    settle(world);
}

pub(super) fn settle(world: &mut World) {
    while world.queue().overdue(world.now).is_some() {
        world.advance();
    }
}

pub(super) fn finish(world: &mut World) -> String {
    let job = world.pop_one();
    world.ack(&job.id, job.token).unwrap();
    String::from_utf8(job.id.to_vec()).unwrap()
}

#[test]
fn a_nightly_run_is_pushed_at_two_o_clock_of_its_zone_to_the_millisecond() {
    let mut world = world_at("2026-11-21T12:00:00Z");
    let plan =
        SetSchedule { zone: Zone::named(b"europe/berlin").unwrap(), ..planned(b"nightly", "0 2 * * *") };
    world.set_schedule(&plan).unwrap();
    assert_eq!(next(&world), "2026-11-22T01:00:00Z");
    assert_eq!(world.queue().next_due(world.now), Some(ms("2026-11-22T01:00:00Z")));
    world.now = ms("2026-11-22T01:00:00Z") - 1;
    assert_eq!(world.pop(10, None), []);
    world.now += 1;
    let job = world.pop_one();
    assert_eq!(String::from_utf8_lossy(&job.id), format!("nightly@{}", world.now));
    assert_eq!((&*job.payload, job.attempt), (&b"payload"[..], 1));
    assert_eq!(next(&world), "2026-11-23T01:00:00Z");
    assert_eq!(world.pop(10, None), []);
}

#[test]
fn a_run_stands_where_its_time_puts_it_however_late_it_is_made() {
    let mut world = world_at("2026-11-21T12:00:00.500Z");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    world.now = ms("2026-11-21T12:00:59Z");
    world.push(&named(b"before"));
    let queue = world.queue();
    // Somebody was at the queue, but not at the second of the run; the next push finds both.
    assert_eq!(queue.next_run(), Some(ms("2026-11-21T12:01:00Z")));
    world.now = ms("2026-11-21T12:01:30Z");
    world.push(&named(b"after"));
    let popped: Vec<Vec<u8>> = world.pop(3, None).into_iter().map(|job| job.id.to_vec()).collect();
    assert_eq!(popped, [&b"before"[..], b"s@1795262460000", b"after"]);
}

#[test]
fn a_run_has_all_that_its_push_says() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let push = Push {
        name: Some(b"name"),
        meta: Some(b"meta"),
        priority: -3,
        lifo: true,
        retries: Some(7),
        backoff: Some(Backoff::Fixed(9)),
        lease: Some(11),
        expire: Some(HOUR),
        keep: Some(12),
        ..plain(b"p")
    };
    world.set_schedule(&SetSchedule { push: push.clone(), ..planned(b"s", "* * * * *") }).unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    let now = world.now;
    let pushed = world.push(&Push { id: Some(b"pushed"), ..push });
    assert_eq!(pushed, Pushed::New(JobId::from(Box::from(*b"pushed"))));
    let mut jobs = world.queue().jobs.iter().map(|(_, job)| job.to_job());
    let (run, mut like) = (jobs.next().unwrap(), jobs.next().unwrap());
    assert_eq!(run.read().id(), Some(format!("s@{now}").as_bytes()));
    like.options_mut().id = run.read().id().map(Box::from);
    assert_eq!(run, like);
}

#[test]
fn an_id_that_is_known_is_the_run() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    let id = format!("s@{}", ms("2026-11-21T12:01:00Z"));
    world.push(&named(id.as_bytes()));
    at(&mut world, "2026-11-21T12:01:00Z");
    assert_eq!(ids(&world), [id]);
    assert_eq!(next(&world), "2026-11-21T12:02:00Z");
    // It counts as the last run: while it is unfinished there is no other.
    at(&mut world, "2026-11-21T12:02:00Z");
    assert_eq!(ids(&world).len(), 1);
    finish(&mut world);
    at(&mut world, "2026-11-21T12:03:00Z");
    assert_eq!(ids(&world).len(), 2);
}

#[test]
fn a_run_is_left_out_while_the_last_one_is_unfinished_unless_they_may_overlap() {
    for overlap in [false, true] {
        let mut world = world_at("2026-11-21T12:00:30Z");
        world.set_schedule(&SetSchedule { overlap, ..planned(b"s", "* * * * *") }).unwrap();
        at(&mut world, "2026-11-21T12:01:00Z");
        // It waits; it is worked on; it waits for its retry.
        at(&mut world, "2026-11-21T12:02:00Z");
        let first = world.pop(1, Some(HOUR)).remove(0);
        at(&mut world, "2026-11-21T12:03:00Z");
        world.fail(&first.id, first.token, &Fail { delay: Some(HOUR), ..FAIL }).unwrap();
        at(&mut world, "2026-11-21T12:04:00Z");
        assert_eq!(runs(&world).len(), if overlap { 4 } else { 1 });
        assert_eq!(next(&world), "2026-11-21T12:05:00Z");
        if !overlap {
            world.cancel(&[&first.id]);
            at(&mut world, "2026-11-21T12:05:00Z");
            assert_eq!(runs(&world), ["2026-11-21T12:05:00Z"]);
        }
    }
}

#[test]
fn a_run_that_finds_no_room_is_left_out() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.configure("max_length", "1");
    for name in [&b"a"[..], b"b"] {
        world.set_schedule(&SetSchedule { overlap: true, ..planned(name, "* * * * *") }).unwrap();
    }
    // Both are due at once; there is room for one.
    at(&mut world, "2026-11-21T12:01:00Z");
    assert_eq!(runs(&world), ["2026-11-21T12:01:00Z"]);
    at(&mut world, "2026-11-21T12:02:00Z");
    assert_eq!((runs(&world).len(), next(&world)), (1, "2026-11-21T12:03:00Z".into()));
    finish(&mut world);
    at(&mut world, "2026-11-21T12:03:00Z");
    assert_eq!(runs(&world).last().unwrap(), "2026-11-21T12:03:00Z");
    // Missed runs, too, whatever is to become of them.
    let mut world = world_at("2026-11-21T12:30:00Z");
    world.configure("max_length", "2");
    world
        .set_schedule(&SetSchedule { catch_up: CatchUp::All, overlap: true, ..planned(b"s", "0 * * * *") })
        .unwrap();
    at(&mut world, "2026-11-21T15:30:00Z");
    assert_eq!(runs(&world), ["2026-11-21T13:00:00Z", "2026-11-21T14:00:00Z"]);
    assert_eq!(next(&world), "2026-11-21T16:00:00Z");
}

#[test]
fn a_known_id_needs_no_room() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.configure("max_length", "1");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    world.push(&named(format!("s@{}", ms("2026-11-21T12:01:00Z")).as_bytes()));
    at(&mut world, "2026-11-21T12:01:00Z");
    assert!(schedules(world.primary.as_ref(), world.now)[0].running);
}

#[test]
fn a_payload_that_the_queue_does_not_take_is_refused_with_its_schedule() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.configure("max_payload", "7");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    world.configure("max_payload", "6");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    let effects = world.effects;
    assert_eq!(world.set_schedule(&planned(b"t", "* * * * *")).unwrap_err().code, Code::TooBig);
    assert_eq!(world.effects, effects);
}

#[test]
fn a_dead_run_is_finished() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    let job = world.pop_one();
    world.fail(&job.id, job.token, &Fail { dead: true, ..FAIL }).unwrap();
    at(&mut world, "2026-11-21T12:02:00Z");
    assert_eq!(runs(&world), ["2026-11-21T12:01:00Z", "2026-11-21T12:02:00Z"]);
}

#[test]
fn a_minute_late_is_late_and_more_is_missed() {
    for (late, made) in [(MISSED_AFTER_MS, true), (MISSED_AFTER_MS + 1, false)] {
        let mut world = world_at("2026-11-21T12:30:00Z");
        world.set_schedule(&planned(b"s", "0 * * * *")).unwrap();
        world.now = ms("2026-11-21T13:00:00Z") + late;
        settle(&mut world);
        assert_eq!(ids(&world).len(), usize::from(made), "{late} ms");
        assert_eq!(next(&world), "2026-11-21T14:00:00Z");
    }
}

#[test]
fn missed_runs_are_left_out_or_one_is_made_for_all_or_each_in_its_turn() {
    let missed = |catch_up, overlap| {
        let mut world = world_at("2026-11-21T12:30:00Z");
        world.set_schedule(&SetSchedule { catch_up, overlap, ..planned(b"s", "0 * * * *") }).unwrap();
        at(&mut world, "2026-11-21T15:30:00Z");
        world
    };
    assert_eq!(runs(&missed(CatchUp::Skip, false)), Vec::<String>::new());
    assert_eq!(runs(&missed(CatchUp::One, false)), ["2026-11-21T13:00:00Z"]);
    assert_eq!(runs(&missed(CatchUp::One, true)), ["2026-11-21T13:00:00Z"]);
    let all = ["2026-11-21T13:00:00Z", "2026-11-21T14:00:00Z", "2026-11-21T15:00:00Z"];
    assert_eq!(runs(&missed(CatchUp::All, true)), all);
    for overlap in [false, true] {
        for catch_up in [CatchUp::Skip, CatchUp::One] {
            assert_eq!(next(&missed(catch_up, overlap)), "2026-11-21T16:00:00Z");
        }
    }
    // One after the other: the next one when the last one has ended.
    let mut world = missed(CatchUp::All, false);
    assert_eq!(runs(&world), all[..1]);
    // Nothing is due by itself as long as it has not.
    assert_eq!((world.queue().next_run(), world.queue().overdue(world.now + HOUR)), (None, None));
    for made in 1..=3 {
        assert_eq!(runs(&world), all[..made]);
        assert!(schedules(world.primary.as_ref(), world.now)[0].running);
        finish(&mut world);
        settle(&mut world);
    }
    assert_eq!(runs(&world), all);
    assert_eq!(next(&world), "2026-11-21T16:00:00Z");
}

#[test]
fn whatever_ends_a_run_lets_the_next_missed_one_go() {
    let ends: [fn(&mut World); 4] = [
        |world| {
            let job = world.pop_one();
            world.fail(&job.id, job.token, &Fail { dead: true, ..FAIL }).unwrap();
        },
        |world| {
            let id = ids(world).remove(0);
            world.cancel(&[id.as_bytes()]);
        },
        |world| {
            world.purge(State::Ready, 0);
        },
        |world| {
            // Its lease runs out too often.
            for _ in 0..=Config::default().stall_max {
                world.pop_one();
                world.now += 100;
            }
            world.advance();
        },
    ];
    for (nth, end) in ends.into_iter().enumerate() {
        let mut world = world_at("2026-11-21T12:30:00Z");
        world.set_schedule(&SetSchedule { catch_up: CatchUp::All, ..planned(b"s", "0 * * * *") }).unwrap();
        at(&mut world, "2026-11-21T14:30:00Z");
        assert_eq!(runs(&world), ["2026-11-21T13:00:00Z"]);
        end(&mut world);
        settle(&mut world);
        assert_eq!(runs(&world).last().unwrap(), "2026-11-21T14:00:00Z", "end {nth}");
    }
}

#[test]
fn no_more_than_a_thousand_missed_runs_are_made() {
    let mut world = world_at("2026-11-21T12:00:00.500Z");
    let plan = SetSchedule { catch_up: CatchUp::All, overlap: true, ..planned(b"s", "* * * * * *") };
    world.set_schedule(&plan).unwrap();
    world.now += DAY;
    // No write does more than a little of it.
    while world.queue().overdue(world.now).is_some() {
        let before = world.queue().jobs.len();
        world.advance();
        assert!(world.queue().jobs.len() - before <= 8);
        if world.queue().jobs.len() == MAX_CATCH_UP_RUNS as usize {
            break;
        }
    }
    assert_eq!(runs(&world).last().unwrap(), "2026-11-21T12:16:40Z");
    // The others are left out, those of the last minute too.
    settle(&mut world);
    assert_eq!(runs(&world).len(), MAX_CATCH_UP_RUNS as usize);
    assert_eq!(next(&world), "2026-11-22T12:00:01Z");
}

#[test]
fn the_same_again_changes_nothing_and_a_replacement_keeps_what_it_does_not_say() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let plan = planned(b"s", "*/5 * * * *");
    world.set_schedule(&plan).unwrap();
    let (before, effects) = (saved(world.queue()), world.effects);
    world.now += MINUTE;
    world.set_schedule(&plan).unwrap();
    assert_eq!((saved(world.queue()), world.effects), (before, effects));
    at(&mut world, "2026-11-21T12:05:00Z");
    // Another payload: the time stays, though it has been found before.
    world.now += SECOND;
    world.set_schedule(&SetSchedule { push: plain(b"other"), ..plan.clone() }).unwrap();
    assert_eq!(
        (next(&world), runs(&world)),
        ("2026-11-21T12:10:00Z".into(), vec!["2026-11-21T12:05:00Z".into()])
    );
    assert_eq!(&*world.pop_one().payload, b"payload", "what was pushed stays");
    // Another pattern: the queue computes a new time; the last run is still the last.
    world.set_schedule(&SetSchedule { pattern: b"0 * * * *", ..plan.clone() }).unwrap();
    let shown = schedules(world.primary.as_ref(), world.now);
    assert_eq!((shown.len(), shown[0].running), (1, true));
    assert_eq!(next(&world), "2026-11-21T13:00:00Z");
    let zone = Zone::named(b"Asia/Kolkata").unwrap();
    world.set_schedule(&SetSchedule { pattern: b"0 * * * *", zone, ..plan }).unwrap();
    assert_eq!(next(&world), "2026-11-21T12:30:00Z");
}

#[test]
fn a_replacement_of_one_that_waits_is_judged_anew() {
    let mut world = world_at("2026-11-21T12:30:00Z");
    let plan = SetSchedule { catch_up: CatchUp::All, ..planned(b"s", "0 * * * *") };
    world.set_schedule(&plan).unwrap();
    at(&mut world, "2026-11-21T15:30:00Z");
    world.set_schedule(&SetSchedule { catch_up: CatchUp::Skip, ..plan }).unwrap();
    settle(&mut world);
    assert_eq!(runs(&world), ["2026-11-21T13:00:00Z"]);
    assert_eq!(next(&world), "2026-11-21T16:00:00Z");
}

#[test]
fn a_run_by_hand_is_the_one_that_is_unfinished_or_a_new_one() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    assert_eq!(world.run_now(b"s").unwrap_err().code, Code::NoJob);
    world.set_schedule(&planned(b"s", "0 * * * *")).unwrap();
    assert_eq!(world.run_now(b"other").unwrap_err().code, Code::NoJob);
    let id: Box<[u8]> = format!("s@{}", world.now).into_bytes().into();
    assert_eq!(world.run_now(b"s"), Ok(Pushed::New(id.clone().into())));
    world.now += SECOND;
    let effects = world.effects;
    assert_eq!(world.run_now(b"s"), Ok(Pushed::Duplicate(id.clone())));
    assert_eq!(world.effects, effects);
    assert_eq!(finish(&mut world).as_bytes(), &*id);
    let again: Box<[u8]> = format!("s@{}", world.now).into_bytes().into();
    assert_eq!(world.run_now(b"s"), Ok(Pushed::New(again.into())));
    // The time of the schedule is its own.
    assert_eq!(next(&world), "2026-11-21T13:00:00Z");
    // Where runs may overlap, each call makes one, but for the same millisecond.
    world.set_schedule(&SetSchedule { overlap: true, ..planned(b"o", "0 * * * *") }).unwrap();
    let first = world.run_now(b"o").unwrap();
    let Pushed::New(id) = first else { panic!("{first:?}") };
    assert_eq!(world.run_now(b"o"), Ok(Pushed::Duplicate(id.into())));
    world.now += 1;
    assert!(matches!(world.run_now(b"o"), Ok(Pushed::New(_))));
}

#[test]
fn a_deleted_schedule_leaves_its_jobs() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    assert!(!world.delete_schedule(b"s"));
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    assert!(world.delete_schedule(b"s"));
    assert!(!world.delete_schedule(b"s"));
    assert_eq!(world.queue().next_run(), None);
    at(&mut world, "2026-11-21T12:05:00Z");
    assert_eq!(runs(&world), ["2026-11-21T12:01:00Z"]);
}
