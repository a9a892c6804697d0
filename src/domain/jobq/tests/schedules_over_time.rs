//! Schedules across clock changes, promotions, copies and bounds.

use super::harness::*;
use super::schedules::*;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::jobq::state::schedules::MAX_SCHEDULES;
use crate::domain::jobq::*;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::time::MINUTE;
use crate::domain::value::{Effect as _, Value};

#[test]
fn a_clock_that_was_set_back_makes_no_run_twice_and_none_early() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.set_schedule(&SetSchedule { overlap: true, ..planned(b"s", "* * * * *") }).unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    for back in ["2026-11-21T12:00:10Z", "2026-11-21T12:01:00Z", "2026-11-21T12:01:59.999Z"] {
        at(&mut world, back);
        assert_eq!(runs(&world), ["2026-11-21T12:01:00Z"], "{back}");
    }
    at(&mut world, "2026-11-21T12:02:00Z");
    assert_eq!(runs(&world).len(), 2);
}

#[test]
fn the_clock_change_of_a_zone_makes_one_run_a_day() {
    let zone = Zone::named(b"Europe/Berlin").unwrap();
    let daily = |from: &str, to: &str| {
        let mut world = world_at(from);
        world.set_schedule(&SetSchedule { zone, overlap: true, ..planned(b"s", "30 2 * * *") }).unwrap();
        while world.now < ms(to) {
            world.now += 10 * MINUTE;
            settle(&mut world);
        }
        let mut runs = runs(&world);
        runs.dedup();
        runs
    };
    // Half past two does not come on the 29th of March, and twice on the 25th of October.
    let spring = daily("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(spring, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let autumn = daily("2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(autumn, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn a_primary_that_was_promoted_makes_the_same_runs() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.set_schedule(&SetSchedule { catch_up: CatchUp::All, ..planned(b"s", "* * * * *") }).unwrap();
    at(&mut world, "2026-11-21T12:01:00Z");
    let mut promoted = World { now: world.now, ..World::new() };
    promoted.primary = world.replica.as_ref().map(reloaded);
    promoted.replica = world.replica.as_ref().map(reloaded);
    for text in ["2026-11-21T12:01:30Z", "2026-11-21T12:04:00Z", "2026-11-21T12:09:30Z"] {
        at(&mut world, text);
        at(&mut promoted, text);
        assert_eq!(saved(world.queue()), saved(promoted.queue()));
        finish(&mut world);
        finish(&mut promoted);
        promoted.tokens.clone_from(&world.tokens);
    }
    assert_eq!(runs(&world), runs(&promoted));
}

#[test]
fn a_copy_keeps_the_schedules_and_waits_for_its_own_runs() {
    let mut world = world_at("2026-11-21T12:30:00Z");
    world.set_schedule(&SetSchedule { catch_up: CatchUp::All, ..planned(b"s", "0 * * * *") }).unwrap();
    at(&mut world, "2026-11-21T15:30:00Z");
    let job = world.pop_one();
    let copy = world.queue().duplicate();
    assert!(loaded(&saved(&copy)).is_ok());
    assert_eq!(copy.next_run(), None);
    // The job of a cancelled run stays with the original, so the copy waits for nothing.
    world.cancel(&[&job.id]);
    let copy = world.queue().duplicate();
    assert!(loaded(&saved(&copy)).is_ok());
    assert_eq!(copy.next_run(), Some(ms("2026-11-21T14:00:00Z")));
}

#[test]
fn a_queue_has_at_most_a_thousand_schedules_and_makes_their_runs_in_steps() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    let names: Vec<String> = (0..=MAX_SCHEDULES).map(|i| format!("s{i:04}")).collect();
    for name in &names[..MAX_SCHEDULES] {
        world.set_schedule(&planned(name.as_bytes(), "* * * * *")).unwrap();
    }
    let refusal = world.set_schedule(&planned(names[MAX_SCHEDULES].as_bytes(), "* * * * *")).unwrap_err();
    assert_eq!(refusal.code, Code::Full);
    world.set_schedule(&planned(b"s0007", "0 12 * * *")).unwrap();
    assert_eq!(saved(&reloaded(world.queue())), saved(world.queue()));
    world.now = ms("2026-11-21T12:01:00Z");
    let mut steps = 0;
    while let Some(effect) = world.queue().overdue(world.now) {
        assert!(effect.encode().len() < 10_000);
        world.advance();
        steps += 1;
    }
    assert_eq!(world.queue().jobs.len(), MAX_SCHEDULES - 1);
    assert!((10..=100).contains(&steps), "{steps}");
}

#[test]
fn what_is_no_schedule_is_refused() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    for pattern in ["", "* * * *", "61 * * * *", "0 0 30 2 *", "nonsense"] {
        let refusal: Refusal = world.set_schedule(&planned(b"s", pattern)).unwrap_err();
        assert!(refusal.code == Code::Err && refusal.text.starts_with("cron '"), "{refusal}");
    }
    // All of its times lie in the hour that clocks skip.
    let zone = Zone::named(b"Europe/Berlin").unwrap();
    let refusal = world.set_schedule(&SetSchedule { zone, ..planned(b"s", "* 2 * 3 SUNL") }).unwrap_err();
    assert_eq!(refusal.text, "cron '* 2 * 3 SUNL': is never due in Europe/Berlin");
    assert!(world.primary.is_none());
}

#[test]
fn a_schedule_that_this_build_cannot_read_stands_still_and_is_kept() {
    let mut world = world_at("2026-11-21T12:00:30Z");
    world.set_schedule(&planned(b"s", "* * * * *")).unwrap();
    let rewrite = |part: &[u8], other: &[u8]| {
        let blocks = saved(world.queue()).into_iter().map(|block| {
            let at = block.windows(part.len()).position(|window| window == part);
            at.map_or(block.clone(), |at| [&block[..at], other, &block[at + part.len()..]].concat())
        });
        loaded(&blocks.collect::<Vec<_>>()).expect("a queue")
    };
    for queue in [rewrite(b"UTC", b"XYZ"), rewrite(b"* * * * *", b"* * * * x")] {
        let mut other = World { now: world.now + MINUTE, primary: Some(queue), ..World::new() };
        other.replica = other.primary.as_ref().map(reloaded);
        settle(&mut other);
        // The run whose time was known is made; none is known after it.
        assert_eq!(runs(&other), ["2026-11-21T12:01:00Z"]);
        assert_eq!(schedules(other.primary.as_ref(), other.now)[0].entry.next, None);
        settle(&mut other);
        assert_eq!(saved(&reloaded(other.queue())), saved(other.queue()));
    }
}
