//! Many jobs at once: what time has made due happens in bounded steps.

use super::harness::*;
use crate::domain::jobq::state::job::Job;
use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome};
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::payload::Payload;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::*;
use crate::domain::time::{DAY, UnixMs};
use crate::domain::value::Value as _;

/// The most that one effect moves.
const STEPS: usize = 2_000;

/// A job that was pushed, moved by hand to where a test wants it.
fn standing(state: State, at: UnixMs) -> Job {
    let last_outcome = if state == State::Done { LastOutcome::Acked } else { LastOutcome::Open };
    let head =
        JobHeader { state, last_outcome, at, ready_at: at, created: START, token: 1, ..JobHeader::default() };
    Job::new(head, Payload::default())
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
        let popped = world.pop(MAX_JOBS_PER_CALL, Some(60_000));
        let moved = delayed - world.queue().count(State::Delayed);
        assert_eq!(moved, delayed.min(STEPS));
        assert_eq!(world.queue().count(State::Ready), ready + moved - popped.len());
        world.push(&plain(b"later"));
        taken.extend(popped.into_iter().map(|job| job.id.to_vec()));
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
    let lost = |i: u64| standing(State::Active, START + i).with(|job| job.ready_at = START - i);
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
fn a_pop_takes_of_at_most_250_groups() {
    let mut world = World::new();
    for group in 0..350_u32 {
        world.push(&Push { group: Some(&group.to_be_bytes()), ..plain(b"p") });
    }
    world.push(&plain(b"ungrouped"));
    // Those without a group are one more that takes its turn: the first.
    assert_eq!(world.pop(MAX_JOBS_PER_CALL, None).len(), 251);
    assert_eq!(world.pop(MAX_JOBS_PER_CALL, None).len(), 100);
    assert_eq!(world.pop(MAX_JOBS_PER_CALL, None).len(), 0);
}

#[test]
fn done_and_dead_jobs_are_forgotten_by_age_in_bounded_steps_and_their_ids_are_free() {
    for (state, age) in [(State::Done, DAY), (State::Dead, 7 * DAY)] {
        let ended = |i: u64| standing(state, START + i / 1_000).with(|job| job.ready_at = START);
        let mut world = world_of((0..5_000).map(ended));
        let name = |job: &mut Job| job.options_mut().id = Some(Box::from(*b"first"));
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
        assert_eq!(world.push(&named(b"first")), Pushed::New(JobId::from(Box::from(*b"first"))));
        check_indexes(world.queue());
    }
}

#[test]
fn of_too_many_done_jobs_the_oldest_are_forgotten_in_bounded_steps() {
    let most = Config::default().keep_done.most;
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

#[test]
fn a_mass_of_expired_jobs_goes_in_bounded_steps_and_pop_passes_over_the_rest() {
    let expiring = |i: u64| {
        let lifetime =
            JobLifetime { expire: 1 + i % 10, expires: START + 1 + i % 10, ..JobLifetime::default() };
        standing(State::Ready, START).with(|job| job.options_mut().lifetime = Some(Box::new(lifetime)))
    };
    let mass = 5_000;
    let mut world = world_of((0..mass).map(expiring).chain([standing(State::Ready, START + 5)]));
    world.now = START + 10;
    let seen = stats(world.primary.as_ref(), world.now);
    assert_eq!((seen.ready, seen.totals.expired, seen.oldest_ready_ms), (1, mass, 5));
    assert_eq!(&*world.pop_one().id, &*automatic_id(mass));
    assert_eq!(world.queue().count(State::Ready), 3_000);
    world.advance();
    world.advance();
    assert_eq!((world.queue().count(State::Ready), world.queue().totals.expired), (0, mass));
    check_indexes(world.queue());
}

#[test]
fn jobs_with_a_keep_of_their_own_go_in_bounded_steps_and_hold_up_nobody() {
    let kept = |keep: u64| {
        let lifetime = JobLifetime { keep: Some(keep), ..JobLifetime::default() };
        standing(State::Done, START).with(|job| job.options_mut().lifetime = Some(Box::new(lifetime)))
    };
    let long = 2 * DAY;
    let jobs = [kept(long)].into_iter().chain((0..5_000).map(|i| kept(i % 17)));
    let mut world = world_of(jobs.chain([standing(State::Done, START)]));
    world.now = START + 16;
    for left in [3_002, 1_002, 2] {
        assert_eq!(stats(world.primary.as_ref(), world.now).done, 2);
        world.advance();
        assert_eq!(world.queue().count(State::Done), left);
    }
    assert_eq!(serials(world.queue(), State::Done), [0, 5_001]);
    world.now = START + DAY;
    world.advance();
    assert_eq!(serials(world.queue(), State::Done), [0]);
    world.now = START + long;
    world.advance();
    assert_eq!(world.queue().count(State::Done), 0);
}

#[test]
fn keys_whose_time_is_over_are_let_go_of_in_bounded_steps_and_are_free_before() {
    let mut world = World::new();
    let push = |world: &mut World, i: u64| {
        let unique = UniqueKey {
            key: &i.to_be_bytes(),
            until: Until::Time,
            window: Some(1_000),
            on_dup: OnDup::Keep,
            max_wait: None,
        };
        world.push(&Push { unique: Some(unique), ..plain(b"p") })
    };
    for i in 0..5_000 {
        assert_eq!(push(&mut world, i), Pushed::New(automatic_id(i).into()));
    }
    assert_eq!(world.cancel(&[&automatic_id(7)]), [Cancelled::Removed]);
    assert_eq!(push(&mut world, 7), Pushed::Duplicate(automatic_id(7)));
    world.now += 1_000;
    // The last to be let go of.
    assert_eq!(push(&mut world, 4_999), Pushed::New(automatic_id_at(5_000, world.now).into()));
    for left in [3_000, 1_000, 1] {
        assert_eq!(world.queue().keys.held.len(), left);
        check_indexes(world.queue());
        world.advance();
    }
    assert_eq!(push(&mut world, 4_999), Pushed::Duplicate(automatic_id_at(5_000, world.now)));
}

/// A push that waits.
fn pushed_after(world: &mut World, ids: &[&[u8]], on_dead: OnDead) -> Box<[u8]> {
    match world.push(&Push { retries: Some(0), after: Some(After { ids, on_dead }), ..plain(b"p") }) {
        Pushed::New(id) => id.into(),
        other => panic!("{other:?}"),
    }
}

/// How many jobs are blocked after each further write, until none is.
fn unwinds(world: &mut World) -> Vec<usize> {
    let mut left = Vec::new();
    while world.queue().count(State::Blocked) > 0 {
        left.push(world.queue().count(State::Blocked));
        assert_eq!(
            world.queue().next_due(world.now),
            Some(world.queue().clock),
            "those who wait are to look again"
        );
        world.primary = world.primary.as_ref().map(reloaded);
        world.advance();
        check_indexes(world.queue());
        assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()));
    }
    left
}

#[test]
fn a_mass_of_jobs_that_wait_for_one_is_told_in_bounded_steps() {
    for (on_dead, ack) in [(OnDead::Wait, true), (OnDead::Fail, false), (OnDead::Run, false)] {
        let mut world = World::new();
        world.push(&Push { retries: Some(0), ..named(b"a") });
        for _ in 0..7_500 {
            pushed_after(&mut world, &[b"a"], on_dead);
        }
        let token = world.pop_one().token;
        if ack {
            world.ack(b"a", token).unwrap();
        } else {
            world.fail(b"a", token, &FAIL).unwrap();
        }
        assert_eq!(unwinds(&mut world), [6_500, 5_000, 3_500, 2_000, 500], "{on_dead:?}");
        let ended = if on_dead == OnDead::Fail { State::Dead } else { State::Ready };
        assert!(world.queue().count(ended) >= 7_500);
        assert!(world.queue().dependency_graph.edges.is_empty());
    }
}

#[test]
fn a_long_chain_dies_in_bounded_steps_and_is_redriven_in_its_order() {
    let mut world = World::new();
    world.push(&Push { retries: Some(0), ..named(b"a") });
    let mut last: Box<[u8]> = Box::from(*b"a");
    for _ in 0..4_200 {
        last = pushed_after(&mut world, &[&last], OnDead::Fail);
    }
    let token = world.pop_one().token;
    world.fail(b"a", token, &FAIL).unwrap();
    assert_eq!(unwinds(&mut world), [3_200, 1_700, 200]);
    assert_eq!(world.queue().totals.died, 4_201);
    let view = job(world.primary.as_ref(), &automatic_id(1), world.now).unwrap();
    assert_eq!(view.error, Some(&b"the job 'a' that it waited for is dead"[..]));
    let redrive = Redrive { limit: 1_000, ..Redrive::default() };
    assert_eq!(world.redrive(&redrive), Moved { moved: 1_000, left: 3_201 });
    assert_eq!((world.queue().count(State::Ready), world.queue().count(State::Blocked)), (1, 999));
    check_indexes(world.queue());
}

#[test]
fn removing_jobs_with_many_edges_takes_them_away_in_bounded_steps() {
    let mut world = World::new();
    let parents: Vec<Box<[u8]>> = (0..1_000).map(automatic_id).collect();
    parents.iter().for_each(|_| drop(world.push(&plain(b"p"))));
    let parents: Vec<&[u8]> = parents.iter().map(|id| &**id).collect();
    let children: Vec<_> = (0..5).map(|_| pushed_after(&mut world, &parents, OnDead::Wait)).collect();
    let children: Vec<&[u8]> = children.iter().map(|id| &**id).collect();
    assert_eq!(world.cancel(&children), [Cancelled::Removed; 5]);
    for left in [4_000, 2_500, 1_000, 0] {
        assert_eq!(world.queue().dependency_graph.edges.len(), left);
        check_indexes(world.queue());
        world.advance();
    }
}

#[test]
fn a_mass_of_groups_is_judged_by_a_new_rate_in_bounded_steps_and_all_of_them_open() {
    let mut world = World::new();
    world.configure("group_concurrency", "off");
    world.configure("group_rate", "1/1h");
    let groups = 5_000;
    for group in 0..groups {
        let group = u32::to_be_bytes(group);
        world.push(&Push { group: Some(&group), ..plain(b"p") });
        world.push(&Push { group: Some(&group), ..plain(b"p") });
    }
    let pop_all = |world: &mut World| {
        std::iter::from_fn(|| Some(world.pop(MAX_JOBS_PER_CALL, Some(DAY)).len()).filter(|jobs| *jobs > 0))
            .sum::<usize>()
    };
    assert_eq!(pop_all(&mut world), groups as usize);
    world.configure("group_rate", "2/1h");
    for left in (0..=9).rev().map(|steps| 500 * steps).chain([0]) {
        let closed = world.queue().group_controls.iter().filter(|(_, control)| control.is_closed).count();
        assert_eq!(closed, left);
        assert_eq!(world.queue().next_due(world.now) == Some(world.queue().clock), left > 0, "it goes on");
        world.primary = world.primary.as_ref().map(reloaded);
        world.advance();
        assert_eq!(blocks(world.primary.as_ref()), blocks(world.replica.as_ref()));
    }
    assert_eq!(pop_all(&mut world), groups as usize);
}
