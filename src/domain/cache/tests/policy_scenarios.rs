//! What a policy makes of an entry.

use super::harness::*;
use crate::domain::cache::*;
use crate::domain::value::{Lifetime, Value};

fn under(policy: CachePolicy) -> EffectivePolicy {
    EffectivePolicy { policy, ..DEFAULT_TERMS }
}

fn bare(value: Option<&[u8]>) -> SetRequest<'_> {
    SetRequest { value, token: None, ttl: None, grace: None, client_meta: None }
}

#[test]
fn what_a_set_does_not_say_the_policy_says() {
    let mut world = World::new();
    let policy = CachePolicy { ttl: Some(100), grace: Some(20), absent_ttl: Some(7), ..EMPTY_POLICY };
    world.set_under(&bare(Some(b"v")), &under(policy));
    assert_eq!(world.getset(10).ms, 100);
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 120));
    world.set_under(&SetRequest { ttl: Some(5), grace: Some(0), ..bare(Some(b"v")) }, &under(policy));
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 5));
    world.set_under(&bare(None), &under(policy));
    assert_eq!((world.getset(10).state, world.getset(10).ms), (State::Absent, 7));
    assert_eq!(world.entry().lifetime(), Lifetime::Until(world.now + 7), "absence is never stale");
    world.set(&bare(None));
    assert_eq!(world.getset(10).ms, 60_000);
}

#[test]
fn jitter_shortens_what_a_set_says_too() {
    let mut world = World::new();
    let half = EffectivePolicy {
        policy: CachePolicy { jitter: Some(50), ..EMPTY_POLICY },
        random: u64::MAX,
        ..DEFAULT_TERMS
    };
    for (set, ms) in
        [(plain(b"v"), 51), (SetRequest { ttl: Some(1), ..plain(b"v") }, 1), (bare(Some(b"v")), -1)]
    {
        world.set_under(&set, &half);
        assert_eq!(world.getset(10).ms, ms);
    }
}

#[test]
fn the_smaller_of_two_limits_holds() {
    let mut world = World::new();
    for (max_value, limit) in [(Some(2), 5), (Some(5), 2), (None, 2)] {
        let terms = EffectivePolicy { limit, ..under(CachePolicy { max_value, ..EMPTY_POLICY }) };
        let set = bare(Some(b"123"));
        let refusal =
            world.run(|state, now, tokens| decide_set(state, &set, &terms, now, tokens)).unwrap_err();
        assert_eq!(refusal.to_string(), "TOOBIG value of 3 bytes: at most 2 are stored");
    }
}

#[test]
fn a_value_is_loaded_anew_before_its_time_by_one_whom_chance_elects() {
    let mut world = World::new();
    let token = world.granted(State::Fill, 1_000);
    world.now += 50;
    world.set(&with(token, b"v"));
    let early = |random| GetSetRequest {
        lease: 10,
        touch: None,
        early: Some(EarlyRefreshDraw { beta: 1_000, random }),
    };
    // A load of 50 ms: -ln u >= 2 while 100 ms are left.
    assert_eq!(world.get(early(u64::MAX)).state, State::Hit);
    assert_eq!(
        world.get(GetSetRequest { touch: Some(100), ..early(0) }).state,
        State::Hit,
        "nor after a touch"
    );
    assert_eq!(world.get(early(0)).state, State::Hit, "how long a load takes is not known any more");
    let token = {
        world.expire();
        world.granted(State::Refresh, 1_000)
    };
    world.now += 40;
    world.set(&with(token, b"w"));
    let elected = world.get(early(0));
    assert_eq!(brief(&elected), (State::EarlyRefresh, Some(&b"w"[..]), 10));
    assert_eq!(brief(&world.get(early(0))), (State::Hit, Some(&b"w"[..]), 100), "one at a time");
    assert!(world.set(&with(elected.token, b"x")));
    world.set(&bare(Some(b"for ever")));
    assert_eq!(world.get(early(0)).state, State::Hit);
    world.set(&bare(None));
    assert_eq!(world.get(early(0)).state, State::Absent);
}

#[test]
fn a_large_value_is_kept_packed_and_served_as_it_was() {
    let mut world = World::new();
    let value = b"abcdefgh".repeat(1_000);
    world.set(&bare(Some(&value)));
    assert!(world.entry().memory() < 500);
    assert_eq!(world.getset(10).value.as_deref(), Some(&value[..]));
    assert_eq!(world.entry().view(world.now).as_deref(), Some(&value[..]));
    world.set_under(&bare(Some(&value)), &under(CachePolicy { compress: Some(0), ..EMPTY_POLICY }));
    assert!(world.entry().memory() > 8_000);
    world.set_under(&bare(Some(&[7; 300])), &under(CachePolicy { compress: Some(300), ..EMPTY_POLICY }));
    assert!(world.entry().memory() < 150);
    // A re-send is recognised by the value, not by the bytes that are kept.
    let token = {
        world.delete();
        world.granted(State::Fill, 10)
    };
    world.set(&with(token, &value));
    world.now += 100;
    world.granted(State::Refresh, 10);
    assert!(world.set(&with(token, &value)));
}
