//! Many jobs at once: what time has made due happens in bounded steps.

use super::job::{Job, Settled};
use super::queue::Serial;
use super::world::*;
use super::*;
use crate::domain::time::UnixMs;
use crate::domain::value::Value as _;

/// The most that one effect moves.
const STEPS: usize = 2_000;

/// A job that was pushed, moved by hand to where a test wants it.
fn standing(state: State, at: UnixMs) -> Job {
    let settled = if state == State::Done { Settled::Acked } else { Settled::Open };
    Job {
        payload: Box::default(),
        state,
        settled,
        at,
        place: at,
        created: START,
        token: 1,
        failures: 0,
        stalls: 0,
        retries: 0,
        priority: 0,
        lifo: false,
        lease: 0,
        backoff: None,
        extra: None,
    }
}

fn world_of(jobs: impl Iterator<Item = Job>) -> World {
    let mut queue = Queue::default();
    (queue.clock, queue.highest_token) = (START, 1);
    for (serial, job) in (0..).zip(jobs) {
        assert!(queue.insert(serial, job));
        queue.next_serial = serial + 1;
    }
    let mut world = World::new();
    world.replica = Some(reloaded(&queue));
    world.primary = Some(queue);
    world
}

fn serials(queue: &Queue, state: State) -> Vec<Serial> {
    queue.serials(state).collect()
}

#[test]
fn of_a_mass_of_due_jobs_pop_takes_the_earliest_though_each_step_is_bounded() {
    // Due in the reverse order of pushing; jobs that are ready later come between.
    let mass = 5_000;
    let mut world = world_of((0..mass).map(|i| standing(State::Delayed, START + mass - i)));
    world.now = START + mass;
    let mut taken = Vec::new();
    while taken.len() < mass as usize {
        let ready = world.queue().count(State::Ready);
        let delayed = world.queue().count(State::Delayed);
        let popped = world.pop(MOST_AT_ONCE, Some(60_000));
        let moved = delayed - world.queue().count(State::Delayed);
        assert_eq!(moved, delayed.min(STEPS));
        assert_eq!(world.queue().count(State::Ready), ready + moved - popped.len());
        world.push(&plain(b"later"));
        taken.extend(popped.into_iter().map(|job| job.id.into_owned()));
    }
    let expected: Vec<_> = (0..mass).rev().map(|serial| automatic_id(serial).to_vec()).collect();
    assert_eq!(taken, expected);
    assert_eq!(&*world.pop_one().payload, b"later");
    assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()));
}

#[test]
fn stats_count_a_mass_of_due_jobs_before_anything_has_moved_them() {
    let world = world_of((0..5_000).map(|_| standing(State::Delayed, START + 1)));
    let seen = stats(world.primary.as_ref(), START + 11);
    assert_eq!((seen.ready, seen.delayed, seen.oldest_ready_ms), (5_000, 0, 10));
}

#[test]
fn a_mass_of_lost_leases_comes_back_in_bounded_steps_each_to_its_place() {
    let lost = |i: u64| Job { place: START - i, ..standing(State::Active, START + i) };
    let mut world = world_of((0..4_500).map(lost));
    world.now = START + 10_000;
    for left in [2_500, 500, 0] {
        world.advance();
        assert_eq!(world.queue().count(State::Active), left);
    }
    assert_eq!(serials(world.queue(), State::Ready), (0..4_500).rev().collect::<Vec<_>>());
    assert_eq!(world.queue().totals.stalled, 4_500);
    let effects = world.effects;
    world.advance();
    assert_eq!(world.effects, effects);
}

#[test]
fn done_and_dead_jobs_are_forgotten_by_age_in_bounded_steps_and_their_ids_are_free() {
    for (state, (age, _)) in [(State::Done, KEEP_DONE), (State::Dead, KEEP_DEAD)] {
        let ended = |i: u64| Job { place: START, ..standing(state, START + i / 1_000) };
        let mut world = world_of((0..5_000).map(ended));
        let name = |job: &mut Job| job.extra_mut().id = Some(Box::from(*b"first"));
        for queue in [world.primary.as_mut(), world.replica.as_mut()].into_iter().flatten() {
            let mut first = standing(state, START);
            name(&mut first);
            queue.remove(0);
            assert!(queue.insert(0, first));
        }
        world.now = START + age - 1;
        world.advance();
        assert_eq!(world.queue().count(state), 5_000);
        assert_eq!(world.push(&named(b"first")), Pushed::Duplicate(Box::from(*b"first")));
        world.now = START + age + 3;
        assert!(job(world.primary.as_ref(), b"first", world.now).is_err());
        for left in [3_000, 1_000, 1_000] {
            world.advance();
            assert_eq!(world.queue().count(state), left);
            let seen = stats(world.primary.as_ref(), world.now);
            assert_eq!(seen.done + seen.dead, 1_000);
        }
        assert_eq!(serials(world.queue(), state), (4_000..5_000).collect::<Vec<_>>());
        assert_eq!(world.push(&named(b"first")), Pushed::New(Box::from(*b"first")));
        check_indexes(world.queue());
    }
}

#[test]
fn of_too_many_done_jobs_the_oldest_are_forgotten_in_bounded_steps() {
    let most = KEEP_DONE.1;
    let mut queue = Queue::default();
    (queue.clock, queue.highest_token) = (START, 1);
    for serial in 0..most as u64 + 2_500 {
        assert!(queue.insert(serial, standing(State::Done, START + serial / 10)));
        queue.next_serial = serial + 1;
    }
    let now = START + most as u64;
    for left in [most + 500, most] {
        assert_eq!(stats(Some(&queue), now).done, most);
        let effect = queue.overdue(now).expect("something to forget");
        queue.apply(effect);
        assert_eq!(queue.count(State::Done), left);
    }
    assert_eq!(queue.overdue(now), None);
    assert_eq!(queue.first(State::Done).map(|(_, serial)| serial), Some(2_500));
}
