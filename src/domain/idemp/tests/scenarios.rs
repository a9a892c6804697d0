//! The record's contract and fine print, case by case.

use super::harness::*;
use crate::domain::idemp::*;
use crate::domain::refusal::Code;
use crate::domain::value::{Lifetime, Value};

#[test]
fn the_first_claim_does_the_work_and_all_later_ones_get_its_bytes() {
    let mut world = World::new();
    let first = world.claim(&claim(60_000, 86_400_000)).unwrap();
    assert_eq!((first.state, first.ms, first.attempt), (State::Claimed, 60_000, 1));
    assert!(first.token > 0);
    world.now += 10;
    let busy = world.claim(&claim(60_000, 86_400_000)).unwrap();
    assert_eq!((busy.state, busy.token, busy.ms), (State::Busy, 0, 59_990));
    let result = b"\0\xff\r\n".as_slice();
    world.complete_with(Completion { token: first.token, result, meta: Some(b"201"), ttl: None }).unwrap();
    for age in [0, 5, 86_399_994] {
        world.now += age;
        let done = world.claim(&claim(60_000, 86_400_000)).unwrap();
        assert_eq!((done.state, done.token, done.attempt), (State::Done, 0, 1));
        assert_eq!((done.value.as_deref(), done.meta.as_deref()), (Some(result), Some(&b"201"[..])));
    }
    world.now += 1;
    assert_eq!(world.claim(&claim(1, 1)).unwrap().state, State::Claimed);
}

#[test]
fn the_ttl_counts_from_the_completion() {
    let mut world = World::new();
    let token = world.claim(&claim(100, 100)).unwrap().token;
    world.now += 99;
    world.complete(token, b"r").unwrap();
    assert_eq!(world.record().lifetime(), Lifetime::Until(world.now + 100));
    world.now += 99;
    let done = world.claim(&claim(1, 1)).unwrap();
    assert_eq!((done.state, done.ms), (State::Done, 99));
}

#[test]
fn complete_may_give_another_ttl() {
    let mut world = World::new();
    let token = world.claim(&claim(100, 100)).unwrap().token;
    world.complete_with(Completion { token, result: b"r", meta: None, ttl: Some(7) }).unwrap();
    assert_eq!(world.record().lifetime(), Lifetime::Until(world.now + 7));
}

#[test]
fn a_lapsed_lease_is_taken_over_and_the_late_completion_fenced() {
    let mut world = World::new();
    let late = world.claim(&claim(100, 1_000)).unwrap().token;
    assert_eq!(world.record().next_due(), Some(world.now + 100));
    world.now += 100;
    let next = world.claim(&claim(100, 1_000)).unwrap();
    assert_eq!((next.state, next.attempt), (State::Claimed, 2));
    assert!(next.token > late);
    assert_eq!(world.complete(late, b"late"), Err(Code::Fenced));
    assert_eq!(world.release(late, 0), Err(Code::Fenced));
    assert_eq!(world.complete(next.token, b"in time"), Ok(()));
}

#[test]
fn a_lapsed_lease_that_nobody_took_over_still_completes() {
    let mut world = World::new();
    let token = world.claim(&claim(100, 1_000)).unwrap().token;
    world.now += 999;
    assert_eq!(world.complete(token, b"slow"), Ok(()));
}

#[test]
fn a_mismatch_comes_before_any_state() {
    let mut world = World::new();
    let mismatch = |world: &mut World| world.claim(&about("two", 10, 1_000)).unwrap_err().code;
    let token = world.claim(&about("one", 10, 1_000)).unwrap().token;
    assert_eq!(mismatch(&mut world), Code::Mismatch, "held");
    world.now += 10;
    assert_eq!(mismatch(&mut world), Code::Mismatch, "lapsed");
    world.release(token, 5).unwrap();
    assert_eq!(mismatch(&mut world), Code::Mismatch, "released");
    world.now += 5;
    assert_eq!(mismatch(&mut world), Code::Mismatch, "free");
    let token = world.claim(&claim(10, 1_000)).unwrap().token;
    assert_eq!(mismatch(&mut world), Code::Mismatch, "taken over by a claim without fingerprint");
    world.complete(token, b"r").unwrap();
    assert_eq!(mismatch(&mut world), Code::Mismatch, "done");
    assert_eq!(world.claim(&about("one", 10, 1_000)).unwrap().state, State::Done);
    assert_eq!(world.claim(&claim(10, 1_000)).unwrap().state, State::Done);
    world.now += 1_000;
    assert_eq!(world.claim(&about("two", 10, 1_000)).unwrap().state, State::Claimed, "the record has ended");
}

#[test]
fn a_record_without_fingerprint_takes_that_of_the_next_attempt() {
    let mut world = World::new();
    world.claim(&claim(10, 1_000)).unwrap();
    assert_eq!(world.claim(&about("one", 10, 1_000)).unwrap().state, State::Busy);
    assert_eq!(world.claim(&about("two", 10, 1_000)).unwrap().state, State::Busy);
    world.now += 10;
    assert_eq!(world.claim(&about("one", 10, 1_000)).unwrap().state, State::Claimed);
    assert_eq!(world.claim(&about("two", 10, 1_000)).unwrap_err().code, Code::Mismatch);
}

#[test]
fn the_same_owner_gets_its_token_back_neither_renewing_nor_waiting() {
    let mut world = World::new();
    let token = world.claim(&by("me", 100, 1_000)).unwrap().token;
    world.now += 30;
    let before = world.record().clone();
    let again = world.claim(&by("me", 100, 1_000)).unwrap();
    assert_eq!((again.state, again.token, again.ms, again.attempt), (State::Claimed, token, 70, 1));
    assert_eq!(world.record(), &before);
    assert_eq!(world.claim(&by("you", 100, 1_000)).unwrap().state, State::Busy);
    assert_eq!(world.claim(&claim(100, 1_000)).unwrap().state, State::Busy);
    world.now += 70;
    let anew = world.claim(&by("me", 100, 1_000)).unwrap();
    assert!(anew.token > token);
    assert_eq!(anew.attempt, 2);
}

#[test]
fn without_an_owner_nobody_is_the_same() {
    let mut world = World::new();
    world.claim(&claim(100, 1_000)).unwrap();
    assert_eq!(world.claim(&claim(100, 1_000)).unwrap().state, State::Busy);
    assert_eq!(world.claim(&by("", 100, 1_000)).unwrap().state, State::Busy);
}

#[test]
fn a_release_frees_the_claim_after_its_delay_for_the_owner_too() {
    let mut world = World::new();
    let token = world.claim(&by("me", 100, 1_000)).unwrap().token;
    world.now += 10;
    world.release(token, 40).unwrap();
    assert_eq!(world.record().next_due(), Some(world.now + 40));
    world.now += 15;
    assert_eq!(world.release(token, 40), Ok(()), "a re-send is answered alike");
    let busy = world.claim(&by("me", 100, 1_000)).unwrap();
    assert_eq!((busy.state, busy.token, busy.ms), (State::Busy, 0, 25));
    assert_eq!(world.complete(token, b"r"), Err(Code::Fenced));
    world.now += 25;
    let next = world.claim(&by("you", 100, 1_000)).unwrap();
    assert_eq!((next.state, next.attempt), (State::Claimed, 2));
    assert_eq!(world.release(token, 0), Err(Code::Fenced));
}

#[test]
fn an_unfinished_record_lives_its_ttl_from_its_last_claim_or_release() {
    let mut world = World::new();
    world.claim(&about("one", 10, 100)).unwrap();
    world.now += 99;
    let token = world.claim(&claim(10, 100)).unwrap().token;
    world.now += 50;
    world.release(token, 0).unwrap();
    assert_eq!(world.record().lifetime(), Lifetime::Until(world.now + 100));
    world.now += 99;
    assert_eq!(world.record().view(world.now).unwrap().expires_in_ms, 1);
    assert_eq!(world.claim(&about("two", 10, 100)).unwrap_err().code, Code::Mismatch);
    world.now += 1;
    assert_eq!(world.release(token, 0), Err(Code::Fenced));
    assert_eq!(world.claim(&about("two", 10, 100)).unwrap().attempt, 1);
}

#[test]
fn a_delay_longer_than_the_ttl_is_kept() {
    let mut world = World::new();
    let token = world.claim(&claim(10, 10)).unwrap().token;
    world.release(token, 500).unwrap();
    world.now += 499;
    assert_eq!(world.claim(&claim(10, 10)).unwrap().state, State::Busy);
    world.now += 1;
    assert_eq!(world.claim(&claim(10, 10)).unwrap().state, State::Claimed);
}

#[test]
fn completing_again_is_fine_with_the_same_result_only() {
    let mut world = World::new();
    let token = world.claim(&claim(100, 1_000)).unwrap().token;
    world.complete(token, b"r").unwrap();
    world.now += 10;
    let before = world.record().clone();
    assert_eq!(world.complete(token, b"r"), Ok(()));
    assert_eq!(world.complete(token, b"s"), Err(Code::Mismatch));
    assert_eq!(world.release(token, 0), Err(Code::Fenced));
    assert_eq!(world.record(), &before);
}

#[test]
fn completing_a_missing_key_is_fenced() {
    let mut world = World::new();
    assert_eq!(world.complete(0, b"r"), Err(Code::Fenced));
    let token = world.claim(&claim(100, 1_000)).unwrap().token;
    (world.primary, world.replica) = (None, None);
    assert_eq!(world.complete(token, b"r"), Err(Code::Fenced));
    assert_eq!(world.release(token, 0), Err(Code::Fenced));
    assert!(world.claim(&claim(100, 1_000)).unwrap().token > token);
}

#[test]
fn a_lease_longer_than_the_ttl_is_an_error() {
    let refusal = World::new().claim(&claim(7_200_000, 3_600_000)).unwrap_err();
    assert_eq!(refusal.to_string(), "ERR LEASE 2h: must not be longer than TTL 1h");
}

#[test]
fn results_and_metas_over_their_limits_are_too_big() {
    let limits = ResultLimits { result: 2, meta: 1 };
    let mut world = World::new();
    let token = world.claim(&claim(100, 1_000)).unwrap().token;
    let mut complete = |result: &'static [u8], meta: &'static [u8]| {
        let completion = Completion { token, result, meta: Some(meta), ttl: None };
        world.run(|state, now, _| decide_complete(state, &completion, limits, now)).map_err(|r| r.to_string())
    };
    assert_eq!(complete(b"123", b"m"), Err("TOOBIG result of 3 bytes: at most 2 are stored".into()));
    assert_eq!(complete(b"12", b"me"), Err("TOOBIG META of 2 bytes: at most 1 are stored".into()));
    assert_eq!(complete(b"12", b"m"), Ok(()));
}

#[test]
fn a_clock_that_steps_back_stands_still_for_the_record_only() {
    let mut world = World::new();
    let token = world.claim(&claim(100, 1_000)).unwrap().token;
    world.now -= 500;
    let busy = world.claim(&claim(100, 1_000)).unwrap();
    assert_eq!((busy.state, busy.ms), (State::Busy, 100));
    world.release(token, 0).unwrap();
    let next = world.claim(&claim(100, 1_000)).unwrap();
    assert_eq!(next.state, State::Claimed);
    assert!(next.token > token);
    world.now += 100;
    assert_eq!(world.claim(&claim(100, 1_000)).unwrap().attempt, 3);
    world.complete(world.record().highest_token(), b"r").unwrap();
    world.now -= 50;
    assert_eq!(world.claim(&claim(100, 1_000)).unwrap().ms, 0, "an age is never negative");
}

#[test]
fn a_copy_of_a_claimed_record_is_free_to_claim() {
    let mut world = World::new();
    let original = world.claim(&about("one", 100, 1_000)).unwrap();
    let copy = world.record().duplicate();
    assert_eq!(copy.lifetime(), world.record().lifetime());
    assert_eq!(world.claim(&claim(100, 1_000)).unwrap().state, State::Busy);
    let mut other = World { replica: Some(copy.clone()), primary: Some(copy), ..World::new() };
    assert_eq!(other.complete(original.token, b"r"), Err(Code::Fenced));
    assert_eq!(other.claim(&about("two", 100, 1_000)).unwrap_err().code, Code::Mismatch);
    let next = other.claim(&about("one", 100, 1_000)).unwrap();
    assert_eq!((next.state, next.attempt), (State::Claimed, 2));
    assert!(next.token > original.token, "above what the record has seen, though this clock has not");
    other.complete(next.token, b"r").unwrap();
    assert_eq!(&other.record().duplicate(), other.record(), "a completed record copies as it is");
}

#[test]
fn a_waiter_that_asks_again_is_compared_again() {
    let mut world = World::new();
    world.claim(&claim(10, 1_000)).unwrap();
    let waiter = about("two", 10, 1_000);
    assert_eq!(world.claim(&waiter).unwrap().state, State::Busy);
    (world.primary, world.replica) = (None, None);
    world.claim(&about("one", 10, 1_000)).unwrap();
    assert_eq!(world.claim(&waiter).unwrap_err().code, Code::Mismatch);
}
