//! UPDATE: what it changes, and what it leaves alone.

use super::harness::*;
use crate::domain::jobq::state::job_id::JobId;
use crate::domain::jobq::*;
use crate::domain::refusal::Code;

const NOTHING: Update<'_> = Update {
    priority: None,
    due: None,
    retries: None,
    payload: None,
    lifo: None,
    no_unique: false,
    parents: None,
};

fn order(world: &mut World) -> Vec<Vec<u8>> {
    world.pop(10, None).iter().map(|job| job.id.to_vec()).collect()
}

#[test]
fn now_makes_a_delayed_job_the_last_of_those_that_are_ready() {
    let mut world = World::new();
    world.push(&Push { due: Due::After(1_000), ..named(b"later") });
    world.push(&named(b"a"));
    world.now += 5;
    world.update(b"later", &Update { due: Some(Due::After(0)), ..NOTHING }).unwrap();
    world.push(&named(b"b"));
    assert_eq!(order(&mut world), [&b"a"[..], b"later", b"b"]);
}

#[test]
fn a_ready_job_waits_again_or_keeps_its_place() {
    let mut world = World::new();
    for id in [b"a", b"b"] {
        world.push(&named(id));
        world.now += 1;
    }
    world.update(b"a", &Update { due: Some(Due::After(0)), ..NOTHING }).unwrap();
    assert_eq!(job(world.primary.as_ref(), b"a", world.now).unwrap().at, START);
    world.update(b"a", &Update { due: Some(Due::After(9)), ..NOTHING }).unwrap();
    assert_eq!(world.state(b"a"), State::Delayed);
    assert_eq!(order(&mut world), [b"b"]);
    world.now += 9;
    assert_eq!(order(&mut world), [b"a"]);
}

#[test]
fn another_priority_keeps_the_place_among_those_who_have_it() {
    let mut world = World::new();
    for (id, priority) in [(b"a", 5), (b"b", 0), (b"c", 5)] {
        world.push(&Push { priority, ..named(id) });
        world.now += 1;
    }
    world.update(b"a", &Update { priority: Some(0), ..NOTHING }).unwrap();
    assert_eq!(order(&mut world), [b"a", b"b", b"c"]);
}

#[test]
fn the_next_run_sees_the_payload_that_was_given_meanwhile() {
    let mut world = World::new();
    world.push(&named(b"a"));
    let token = world.pop_one().token;
    world.update(b"a", &Update { payload: Some(b"better"), retries: Some(9), ..NOTHING }).unwrap();
    world.release(b"a", token, 0).unwrap();
    assert_eq!(&*world.pop_one().payload, b"better");
    assert_eq!(world.queue().find(b"a").unwrap().1.retries, 9);
}

#[test]
fn a_dead_job_is_mended_before_it_is_tried_again() {
    let mut world = World::new();
    world.push(&named(b"a"));
    let token = world.pop_one().token;
    world.fail(b"a", token, &Fail { dead: true, ..FAIL }).unwrap();
    let refused = world.update(b"a", &Update { due: Some(Due::After(0)), ..NOTHING }).unwrap_err();
    assert_eq!(refused.code, Code::Err);
    world.update(b"a", &Update { payload: Some(b"mended"), ..NOTHING }).unwrap();
    world.redrive(&Redrive { limit: 1, ..Redrive::default() });
    assert_eq!(&*world.pop_one().payload, b"mended");
}

#[test]
fn a_worker_whose_lease_ran_out_cannot_undo_a_delay() {
    let mut world = World::new();
    world.push(&named(b"a"));
    let token = world.pop(1, Some(10))[0].token;
    world.now += 10;
    world.update(b"a", &Update { due: Some(Due::After(50)), ..NOTHING }).unwrap();
    world.release(b"a", token, 0).unwrap();
    assert_eq!(world.state(b"a"), State::Delayed);
    // What was done is done.
    world.ack(b"a", token).unwrap();
    assert_eq!(world.state(b"a"), State::Done);
    assert_eq!(world.update(b"a", &Update { retries: Some(1), ..NOTHING }).unwrap_err().code, Code::Err);
}

#[test]
fn a_job_gives_up_its_key_and_the_next_one_takes_it() {
    let mut world = World::new();
    let unique =
        UniqueKey { key: b"k", until: Until::Done, window: None, on_dup: OnDup::Next, max_wait: None };
    world.push(&Push { unique: Some(unique), ..named(b"holder") });
    world.push(&Push { unique: Some(unique), ..named(b"next") });
    let no_unique = Update { no_unique: true, ..Update::default() };
    world.update(b"holder", &no_unique).unwrap();
    assert_eq!((world.state(b"holder"), world.state(b"next")), (State::Ready, State::Ready));
    world.push(&Push { unique: Some(unique), ..named(b"third") });
    assert_eq!(world.state(b"third"), State::Blocked);
    world.update(b"third", &no_unique).unwrap();
    assert_eq!(world.state(b"third"), State::Ready);
    let effects = world.effects;
    world.update(b"third", &no_unique).unwrap();
    assert_eq!(world.effects, effects, "it has no key to give up");
    check_indexes(world.queue());
}

#[test]
fn a_ready_job_changes_between_the_head_and_the_end_of_its_priority() {
    let mut world = World::new();
    for id in [b"a", b"b", b"c"] {
        world.push(&named(id));
    }
    world.update(b"c", &Update { lifo: Some(true), ..Update::default() }).unwrap();
    assert_eq!(world.pop_one().id, JobId::from(&b"c"[..]));
    world.push(&Push { lifo: true, ..named(b"d") });
    world.update(b"d", &Update { lifo: Some(false), ..Update::default() }).unwrap();
    assert_eq!(world.pop_one().id, JobId::from(&b"a"[..]));
}
