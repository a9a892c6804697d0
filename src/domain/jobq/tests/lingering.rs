//! LINGER and GROUPED over many groups, against a look at each of them.

use super::harness::*;
use crate::domain::jobq::ready::group_runs::{GroupRun, GroupRuns};
use crate::domain::jobq::*;
use crate::domain::time::{HOUR, UnixMs};
use proptest::prelude::*;

fn of_group<'a>(group: &'a [u8], payload: &'a [u8]) -> Push<'a> {
    Push { group: Some(group), ..plain(payload) }
}

fn batch(count: usize, linger: u64) -> Pop<'static> {
    Pop { count, linger: Some(linger), grouped: true, lease: Some(HOUR), ..Pop::default() }
}

/// A group that may start one of the two jobs that its rate admits in 25 ms, and has two that are
/// ready for 10 ms less.
fn half_used() -> World {
    let mut world = World::new();
    world.configure("group_concurrency", "off");
    world.configure("group_rate", "2/25ms");
    world.push(&of_group(b"g", b"first"));
    world.pop(1, Some(HOUR));
    world.now += 10;
    world.push(&of_group(b"g", b"p"));
    world.push(&of_group(b"g", b"p"));
    world
}

#[test]
fn a_pop_that_lingers_looks_again_when_the_rate_of_a_group_lets_its_batch_be_full() {
    for grouped in [false, true] {
        let mut world = half_used();
        let pop = Pop { grouped, ..batch(2, HOUR) };
        assert_eq!(world.pop_as(&pop), []);
        assert_eq!(next_pop_due(world.queue(), &pop, world.now), Some(START + 25), "GROUPED: {grouped}");
        world.now = START + 24;
        assert_eq!(world.pop_as(&pop), []);
        world.now += 1;
        assert_eq!(world.pop_as(&pop).len(), 2);
    }
}

#[test]
fn a_batch_that_no_rate_lets_be_full_goes_when_its_oldest_has_waited() {
    let mut world = half_used();
    let pop = batch(3, 40);
    assert_eq!(world.pop_as(&pop), []);
    // Two of the three jobs may go then: the oldest is one of them.
    world.now = START + 49;
    assert_eq!(world.pop_as(&pop), []);
    world.now += 1;
    assert_eq!(world.pop_as(&pop).len(), 2);
}

#[test]
fn a_full_group_is_served_from_behind_any_number_of_others() {
    let mut world = World::new();
    for group in 0..2_000_u32 {
        world.push(&of_group(&group.to_be_bytes(), b"p"));
    }
    let pop = batch(3, HOUR);
    assert_eq!(world.pop_as(&pop), []);
    assert_eq!(next_pop_due(world.queue(), &pop, world.now), Some(START + HOUR));
    for payload in [b"one", b"two", b"big"] {
        world.push(&of_group(b"full", payload));
    }
    let popped = world.pop_as(&pop);
    assert_eq!(popped.iter().map(|job| &*job.payload).collect::<Vec<_>>(), [b"one", b"two", b"big"]);
    // So is one that is as large as an answer may be.
    let half = vec![b'p'; MAX_REPLY_BYTES / 2];
    world.push(&of_group(b"large", &half));
    assert_eq!(world.pop_as(&pop), []);
    world.push(&of_group(b"large", &half));
    assert_eq!(world.pop_as(&pop).len(), 2);
    world.now += HOUR;
    assert_eq!(&*world.pop_as(&pop)[0].group.clone().expect("the first of them"), &[0; 4]);
}

#[test]
fn of_many_groups_that_have_waited_the_first_in_the_order_of_pop_goes() {
    let mut world = World::new();
    for group in 0..1_500_u32 {
        world.push(&of_group(&group.to_be_bytes(), b"p"));
    }
    world.push(&Push { priority: -1, ..of_group(b"first", b"p") });
    world.now += 10;
    let pop = batch(3, 10);
    assert_eq!(world.pop_as(&pop)[0].group.as_deref(), Some(&b"first"[..]));
    for group in 0..3_u32 {
        assert_eq!(world.pop_as(&pop)[0].group.as_deref(), Some(&group.to_be_bytes()[..]));
    }
}

/// What a POP takes, found by a look at every group.
fn first_ripe(queue: &Queue, pop: &Pop<'_>, now: UnixMs) -> Option<GroupRun> {
    let linger = pop.linger.expect("it lingers");
    let mut runs = GroupRuns::of(queue.serving_order(now), pop.count);
    runs.find(|run| {
        let oldest = run.serials.iter().filter_map(|serial| Some(queue.job(*serial)?.at)).min();
        run.serials.len() >= pop.count || oldest.is_some_and(|oldest| oldest + linger <= now)
    })
}

/// Pushes to these groups (none is the jobs without one), each with a priority, and some time after
/// each of them.
type Pushes = Vec<(Option<u16>, i32, u64)>;

fn pushes() -> impl Strategy<Value = Pushes> {
    let group = prop::option::weighted(0.95, prop_oneof![3 => 0..300u16, 1 => 0..5u16]);
    let wait = prop_oneof![6 => Just(0), 1 => 0..5u64];
    prop::collection::vec((group, prop_oneof![4 => Just(0), 1 => -2..2i32], wait), 1..700)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_batch_of_many_groups_is_found_as_by_a_look_at_all_of_them(
        pushes in pushes(),
        (count, linger) in (1..7usize, 1..40u64),
        rate in prop::sample::select(vec!["off", "3/20ms", "1/10ms", "5/30ms"]),
        width in prop::sample::select(vec!["off", "1", "2"]),
        takes in prop::collection::vec((0..3usize, 0..15u64), 1..12),
    ) {
        let mut world = World::new();
        world.configure("group_concurrency", width);
        world.configure("group_rate", rate);
        for (group, priority, wait) in pushes {
            let group = group.map(u16::to_be_bytes);
            let group = group.as_ref().map(|group| &group[..]);
            world.push(&Push { group, priority, ..plain(b"p") });
            world.now += wait;
        }
        let pop = batch(count, linger);
        for (others, wait) in takes {
            world.pop(others, Some(20));
            world.advance();
            let expected = first_ripe(world.queue(), &pop, world.now).map(|run| run.serials);
            let due = next_pop_due(world.queue(), &pop, world.now);
            if expected.is_none() && let Some(due) = due.filter(|due| *due > world.now) {
                for before in [due - 1, world.now + (due - world.now) / 2] {
                    let later = advanced(world.queue(), before);
                    prop_assert!(first_ripe(&later, &pop, before).is_none(), "it sleeps past {}", before);
                }
            }
            let popped = world.pop_as(&pop);
            let ids: Vec<_> = popped.iter().map(|job| job.id.to_vec()).collect();
            let queue = world.queue();
            let expected: Vec<_> = expected
                .into_iter()
                .flatten()
                .filter_map(|serial| Some(queue.job(serial)?.shown_id(serial).to_vec()))
                .collect();
            prop_assert_eq!(ids, expected);
            check_indexes(queue);
            world.now += wait;
        }
    }
}
