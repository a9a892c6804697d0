//! The entry's contract and fine print, case by case.

use super::harness::*;
use crate::domain::cache::*;
use crate::domain::value::{Lifetime, Value};
use std::borrow::Cow;

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
    world.set(&SetRequest { ttl: None, ..plain(b"v") });
    assert_eq!(world.entry().lifetime(), Lifetime::Endless);
    assert_eq!(world.entry().next_due(), None);
    world.now += 1 << 40;
    assert_eq!(brief(&world.getset(20)), (State::Hit, Some(&b"v"[..]), -1));
}

#[test]
fn without_a_grace_the_end_of_the_ttl_is_a_miss() {
    let mut world = World::new();
    world.set(&SetRequest { grace: None, ..plain(b"v") });
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 100));
    world.now += 100;
    world.granted(State::Fill, 10);
}

#[test]
fn a_slow_load_is_still_stored_long_after_its_lease() {
    for (lease, meta) in [(10_000, 60_000), (40_000, 80_000)] {
        let mut world = World::new();
        let token = world.granted(State::Fill, lease);
        assert_eq!(world.entry().next_due(), Some(world.now + lease));
        assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + meta));
        world.now += meta - 1;
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
        .run(|state, now, tokens| {
            decide_set(state, &set, &EffectivePolicy { limit: 2, ..DEFAULT_TERMS }, now, tokens)
        })
        .unwrap_err();
    assert_eq!(refusal.to_string(), "TOOBIG value of 3 bytes: at most 2 are stored");
    assert!(
        world
            .run(|state, now, tokens| decide_set(
                state,
                &set,
                &EffectivePolicy { limit: 3, ..DEFAULT_TERMS },
                now,
                tokens
            ))
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
    let hit = GetSetReply::hit(b"plain", Some(7));
    assert_eq!(
        hit,
        GetSetReply {
            state: State::Hit,
            value: Some(Cow::Borrowed(b"plain")),
            token: 0,
            ms: 7,
            client_meta: None
        }
    );
    assert_eq!(GetSetReply::hit(b"plain", None).ms, -1);
}

#[test]
fn meta_goes_with_its_value_and_with_no_other() {
    let mut world = World::new();
    let meta = |reply: &GetSetReply<'static>| reply.client_meta.as_ref().map(|meta| meta.to_vec());
    let with_meta = |token, client_meta| SetRequest { client_meta, ..with(token, b"v") };
    let token = world.granted(State::Fill, 10);
    assert_eq!(meta(&world.getset(10)), None, "BUSY");
    assert!(world.set(&with_meta(token, Some(b"etag"))));
    assert_eq!(meta(&world.getset(10)).as_deref(), Some(&b"etag"[..]));
    world.now += 100;
    let refresh = world.getset(10);
    assert_eq!((refresh.state, meta(&refresh).as_deref()), (State::Refresh, Some(&b"etag"[..])));
    assert_eq!(meta(&world.getset(10)).as_deref(), Some(&b"etag"[..]), "STALE");
    assert!(world.set(&with_meta(token, Some(b"etag"))), "a re-send of what is there");
    assert!(!world.set(&with_meta(token, Some(b"other"))) && !world.set(&with_meta(token, None)));
    assert!(world.set(&with(refresh.token, b"w")));
    assert_eq!(meta(&world.getset(10)), None, "each value has its own");
    world.now += 150;
    let stored = world.bring(&SetRequest { client_meta: Some(b""), ..plain(b"x") });
    assert_eq!((stored.state, stored.ms, meta(&stored).as_deref()), (State::Stored, 100, Some(&b""[..])));
    let copy = world.entry().duplicate();
    assert_eq!(copy.client_meta(), Some(&b""[..]));
}

#[test]
fn a_meta_over_the_limit_is_too_big() {
    let mut world = World::new();
    let set = SetRequest { client_meta: Some(b"123"), ..plain(b"v") };
    let terms = EffectivePolicy { limit: 2, ..DEFAULT_TERMS };
    let refusal = world.run(|state, now, tokens| decide_set(state, &set, &terms, now, tokens)).unwrap_err();
    assert_eq!(refusal.to_string(), "TOOBIG META of 3 bytes: at most 2 are stored");
}
