//! The entry's contract and fine print, case by case.

use std::borrow::Cow;

use super::world::*;
use super::*;
use crate::domain::decision::Decision;
use crate::domain::value::{Lifetime, Value};

#[test]
fn of_a_thousand_cold_readers_one_fills_and_all_hit_afterwards() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10_000);
    for _ in 1..1_000 {
        let reply = world.getset(10_000);
        assert_eq!((reply.token, brief(&reply)), (0, (State::Busy, None, 10_000)));
    }
    world.now += 30;
    assert_eq!(world.getset(10_000).ms, 9_970);
    assert!(world.set(&with(token, b"\0v\xff")));
    for _ in 0..1_000 {
        assert_eq!(brief(&world.getset(10_000)), (State::Hit, Some(&b"\0v\xff"[..]), 100));
    }
}

#[test]
fn past_its_ttl_the_first_reader_refreshes_and_the_others_are_served_stale() {
    let mut world = World::new();
    assert!(world.set(&plain(b"old")));
    world.now += 99;
    assert_eq!(brief(&world.getset(20)), (State::Hit, Some(&b"old"[..]), 1));
    world.now += 1;
    assert_eq!(world.entry().view(world.now), None, "CACHE.GET gives fresh values only");
    let first = world.getset(20);
    assert_eq!(brief(&first), (State::Refresh, Some(&b"old"[..]), 20));
    world.now += 19;
    assert_eq!(brief(&world.getset(20)), (State::Stale, Some(&b"old"[..]), 31));
    world.now += 1;
    let second = world.getset(20);
    assert_eq!(brief(&second), (State::Refresh, Some(&b"old"[..]), 20));
    assert!(!world.set(&with(first.token, b"late")));
    assert!(world.set(&with(second.token, b"new")));
    assert_eq!(brief(&world.getset(20)), (State::Hit, Some(&b"new"[..]), 100));
}

#[test]
fn when_the_grace_ends_under_a_refresh_the_others_wait_for_it() {
    let mut world = World::new();
    world.set(&plain(b"old"));
    world.now += 149;
    let token = world.granted(State::Refresh, 20);
    world.now += 1;
    assert_eq!(brief(&world.getset(20)), (State::Busy, None, 19));
    world.now += 18;
    assert!(world.set(&with(token, b"new")));
    assert_eq!(world.getset(20).state, State::Hit);
}

#[test]
fn without_a_ttl_a_value_stays() {
    let mut world = World::new();
    world.set(&Set { ttl: None, ..plain(b"v") });
    assert_eq!(world.entry().lifetime(), Lifetime::Endless);
    assert_eq!(world.entry().next_due(), None);
    world.now += 1 << 40;
    assert_eq!(brief(&world.getset(20)), (State::Hit, Some(&b"v"[..]), -1));
}

#[test]
fn without_a_grace_the_end_of_the_ttl_is_a_miss() {
    let mut world = World::new();
    world.set(&Set { grace: None, ..plain(b"v") });
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 100));
    world.now += 100;
    world.granted(State::Fill, 10);
}

#[test]
fn a_slow_load_is_still_stored_long_after_its_lease() {
    for (lease, kept) in [(10_000, 60_000), (40_000, 80_000)] {
        let mut world = World::new();
        let token = world.granted(State::Fill, lease);
        assert_eq!(world.entry().next_due(), Some(world.now + lease));
        assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + kept));
        world.now += kept - 1;
        assert!(world.set(&with(token, b"slow")));
        assert_eq!(world.getset(1).state, State::Hit);
    }
}

#[test]
fn the_next_fill_supersedes_a_slow_one() {
    let mut world = World::new();
    let slow = world.granted(State::Fill, 10);
    world.now += 10;
    let next = world.granted(State::Fill, 10);
    assert!(next > slow);
    assert!(!world.set(&with(slow, b"slow")));
    assert_eq!(world.getset(10).state, State::Busy);
    assert!(world.set(&with(next, b"next")));
    assert!(!world.set(&with(slow, b"slow")));
    assert_eq!(world.entry().view(world.now).as_deref(), Some(&b"next"[..]));
}

#[test]
fn a_set_without_token_always_stores_and_supersedes_leases() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    assert!(world.set(&plain(b"mine")));
    assert!(!world.set(&with(token, b"loaded before")));
    assert_eq!(world.entry().view(world.now).as_deref(), Some(&b"mine"[..]));
    assert!(world.set(&plain(b"mine again")));
}

#[test]
fn a_deleted_key_fences_the_fill_in_flight() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    world.delete();
    assert!(!world.set(&with(token, b"v")));
    assert!(world.primary.is_none());
    assert!(world.granted(State::Fill, 10) > token);
    assert!(!world.set(&with(token, b"v")));
}

#[test]
fn a_re_sent_set_is_answered_alike() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    assert!(world.set(&with(token, b"v")));
    world.now += 40;
    assert!(world.set(&with(token, b"v")));
    assert_eq!(brief(&world.getset(10)), (State::Hit, Some(&b"v"[..]), 100));
    world.now += 100;
    let next = world.granted(State::Refresh, 10);
    let before = world.entry().clone();
    assert!(world.set(&with(token, b"v")), "it is still what is there");
    assert!(!world.set(&with(token, b"w")), "a superseded token stores nothing");
    assert_eq!(world.entry(), &before);
    assert!(world.set(&with(next, b"x")));
    assert!(!world.set(&with(token, b"v")));
}

#[test]
fn a_value_over_the_limit_is_too_big() {
    let mut world = World::new();
    let set = plain(b"123");
    let refusal = world
        .run(|state, now, tokens| decide_set(state, &set, &Terms { limit: 2, ..TERMS }, now, tokens))
        .unwrap_err();
    assert_eq!(refusal.to_string(), "TOOBIG value of 3 bytes: at most 2 are stored");
    assert!(
        world
            .run(|state, now, tokens| decide_set(state, &set, &Terms { limit: 3, ..TERMS }, now, tokens))
            .unwrap()
    );
}

#[test]
fn a_clock_that_steps_back_breaks_no_lease_and_serves_no_less() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 100);
    world.now -= 500;
    assert_eq!(brief(&world.getset(100)), (State::Busy, None, 100), "never longer than the lease");
    assert!(world.set(&with(token, b"v")));
    world.now -= 500;
    assert_eq!(brief(&world.getset(100)), (State::Hit, Some(&b"v"[..]), 600));
    world.delete();
    assert!(world.granted(State::Fill, 100) > token);
}

#[test]
fn a_copy_has_the_value_but_not_the_lease() {
    let mut world = World::new();
    world.granted(State::Fill, 10);
    assert_eq!(world.entry().duplicate().lifetime(), Lifetime::Over);
    world.set(&plain(b"v"));
    assert_eq!(&world.entry().duplicate(), world.entry());
    world.now += 100;
    let token = world.granted(State::Refresh, 10);
    let copy = world.entry().duplicate();
    let mut other =
        World { now: world.now, primary: Some(copy.clone()), replica: Some(copy), ..World::new() };
    assert!(!other.set(&with(token, b"w")));
    assert_eq!(brief(&other.getset(10)), (State::Refresh, Some(&b"v"[..]), 10));
    assert!(world.set(&with(token, b"w")));
}

#[test]
fn a_plain_string_can_be_answered_as_a_hit() {
    let hit = Reply::hit(b"plain", Some(7));
    assert_eq!(hit, Reply { state: State::Hit, value: Some(Cow::Borrowed(b"plain")), token: 0, ms: 7 });
    assert_eq!(Reply::hit(b"plain", None).ms, -1);
}

#[test]
fn absence_is_known_for_its_ttl_and_then_somebody_looks_again() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 10);
    let none = Set { value: None, grace: None, ..with(token, b"") };
    assert!(world.set(&none));
    world.now += 40;
    assert_eq!(brief(&world.getset(10)), (State::Absent, None, 60));
    assert_eq!(
        brief(&world.get(GetSet { lease: 10, touch: Some(1_000), early: None })),
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
    assert!(!world.set(&Set { value: None, ..with(token, b"") }));
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
    for set in [Set { grace: None, ..plain(b"v") }, Set { value: None, grace: None, ..plain(b"") }] {
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
    world.set(&Set { ttl: None, ..plain(b"v") });
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
    let touching = |touch| GetSet { lease: 10, touch: Some(touch), early: None };
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
        let set = plain(value);
        let reply = world.run(|state, now, tokens| {
            let decision = decide_getset_value(state, &set, &TERMS, now, tokens)?;
            Ok(Decision { reply: decision.reply.into_owned(), effect: decision.effect })
        });
        let reply = reply.unwrap();
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
    world.set(&Set { value: None, ..plain(b"") });
    assert_eq!(bring(&mut world, b"f"), (State::Absent, None, 100));
}
