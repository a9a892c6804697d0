//! What ends a load or a value early, or lets it last: RELEASE, ABSENT, EXPIRE, TOUCH, VALUE.

use super::harness::*;
use crate::domain::cache::*;
use crate::domain::value::{Lifetime, Value};

#[test]
fn absence_is_known_for_its_ttl_and_then_somebody_looks_again() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    let none = SetRequest { value: None, grace: None, ..with(token, b"") };
    assert!(world.set(&none));
    world.now += 40;
    assert_eq!(brief(&world.getset(10)), (State::Absent, None, 60));
    assert_eq!(
        brief(&world.get(GetSetRequest { lease: 10, touch: Some(1_000), early: None })),
        (State::Absent, None, 60)
    );
    assert_eq!(world.entry().view(world.now), None);
    assert!(world.set(&none), "a re-send stores it again");
    assert_eq!(brief(&world.getset(10)), (State::Absent, None, 100));
    world.now += 100;
    world.granted(State::Fill, 10);
    assert!(!world.set(&none));
}

#[test]
fn an_empty_value_is_not_absence() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    world.set(&with(token, b""));
    world.now += 100;
    world.granted(State::Refresh, 10);
    assert!(world.set(&with(token, b"")), "it is what is there");
    assert!(!world.set(&SetRequest { value: None, ..with(token, b"") }));
}

#[test]
fn a_released_load_is_taken_up_by_the_next_reader_after_the_delay() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 1_000);
    assert!(!world.release(token + 1, 0));
    assert!(world.release(token, 50));
    assert!(!world.set(&with(token, b"v")), "it was given back");
    assert_eq!(brief(&world.getset(10)), (State::Busy, None, 50));
    world.now += 49;
    assert!(world.release(token, 1_000), "a re-send keeps the first delay");
    assert_eq!(brief(&world.getset(10)), (State::Busy, None, 1));
    world.now += 1;
    world.granted(State::Fill, 10);
    assert!(!world.release(token, 0));
}

#[test]
fn after_a_failed_refresh_the_stale_value_goes_on_being_served() {
    let mut world = World::new();
    world.set(&plain(b"old"));
    world.now += 100;
    let token = world.granted(State::Refresh, 10);
    assert!(world.release(token, 20));
    world.now += 19;
    assert_eq!(brief(&world.getset(10)), (State::Stale, Some(&b"old"[..]), 31));
    world.now += 1;
    world.granted(State::Refresh, 10);
}

#[test]
fn a_release_of_nothing_is_fenced() {
    let mut world = World::new();
    assert!(!world.release(5, 0));
    let token = world.granted(State::Fill, 10);
    world.set(&with(token, b"v"));
    assert!(!world.release(token, 0), "the load has ended");
    assert_eq!(world.getset(10).state, State::Hit);
}

#[test]
fn an_expired_value_is_stale_for_its_grace_from_now_and_no_longer() {
    let mut world = World::new();
    world.set(&plain(b"old"));
    world.now += 10;
    assert!(world.expire());
    assert_eq!(world.entry().view(world.now), None);
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 50));
    world.now += 30;
    assert!(world.expire(), "a re-send answers alike");
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 20));
    world.now += 20;
    assert!(!world.expire(), "it has ended");
    world.granted(State::Fill, 10);
}

#[test]
fn without_a_grace_an_expired_value_is_a_miss() {
    let mut world = World::new();
    assert!(!world.expire());
    for set in
        [SetRequest { grace: None, ..plain(b"v") }, SetRequest { value: None, grace: None, ..plain(b"") }]
    {
        world.set(&set);
        assert!(world.expire());
        assert!(world.primary.is_none());
        world.granted(State::Fill, 10);
        assert!(world.expire());
    }
}

#[test]
fn a_value_without_a_ttl_may_have_a_grace_for_when_it_is_expired() {
    let mut world = World::new();
    world.set(&SetRequest { ttl: None, ..plain(b"v") });
    world.now += 1 << 30;
    assert_eq!(world.getset(10).ms, -1);
    assert!(world.expire());
    world.now += 49;
    assert_eq!(world.getset(10).state, State::Refresh);
}

#[test]
fn an_expiry_fences_the_fill_in_flight_and_a_fill_sent_again() {
    let mut world = World::new();
    let cold = world.granted(State::Fill, 10);
    assert!(world.expire());
    assert!(!world.set(&with(cold, b"loaded before")));
    let token = world.granted(State::Fill, 10);
    assert!(world.set(&with(token, b"v")));
    assert!(world.expire());
    assert!(!world.set(&with(token, b"v")), "the late re-send is not fresh again");
    let refresh = world.granted(State::Refresh, 10);
    assert!(world.expire());
    assert!(!world.set(&with(refresh, b"w")));
    assert!(!world.release(refresh, 0));
    let next = world.granted(State::Refresh, 10);
    assert!(next > refresh && world.set(&with(next, b"x")));
}

#[test]
fn a_touch_keeps_a_fresh_value_fresh() {
    let mut world = World::new();
    let touching = |touch| GetSetRequest { lease: 10, touch: Some(touch), early: None };
    world.set(&plain(b"v"));
    world.now += 99;
    assert_eq!(brief(&world.get(touching(70))), (State::Hit, Some(&b"v"[..]), 70));
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 70 + 50), "its grace is behind it");
    assert_eq!(brief(&world.get(touching(5))), (State::Hit, Some(&b"v"[..]), 5));
    world.now += 5;
    assert_eq!(brief(&world.get(touching(70))), (State::Refresh, Some(&b"v"[..]), 10));
    assert_eq!(brief(&world.get(touching(70))), (State::Stale, Some(&b"v"[..]), 50));
}

#[test]
fn a_reader_that_brings_the_value_stores_it_where_nothing_is_fresh() {
    let mut world = World::new();
    let bring = |world: &mut World, value: &[u8]| {
        let reply = world.bring(&plain(value));
        assert_eq!(reply.token, 0);
        (reply.state, reply.value.map(|value| value.into_owned()), reply.ms)
    };
    let was = |state, value: &[u8], ms| (state, Some(value.to_vec()), ms);
    assert_eq!(bring(&mut world, b"a"), was(State::Stored, b"a", 100));
    world.now += 40;
    assert_eq!(bring(&mut world, b"b"), was(State::Hit, b"a", 60));
    world.now += 60;
    assert_eq!(bring(&mut world, b"c"), was(State::Stored, b"c", 100), "stale");
    world.expire();
    let token = world.granted(State::Refresh, 10);
    assert_eq!(bring(&mut world, b"d"), was(State::Stored, b"d", 100), "another loads");
    assert!(!world.set(&with(token, b"late")));
    world.delete();
    let token = world.granted(State::Fill, 10);
    assert_eq!(bring(&mut world, b"e"), was(State::Stored, b"e", 100));
    assert!(!world.set(&with(token, b"late")));
    world.set(&SetRequest { value: None, ..plain(b"") });
    assert_eq!(bring(&mut world, b"f"), (State::Absent, None, 100));
}
