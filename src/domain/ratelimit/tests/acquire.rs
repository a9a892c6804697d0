use super::*;
use crate::domain::ratelimit::{Check, CheckRequest, decide_check};
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;
use std::collections::HashMap;

/// A clock that has seen the tokens of the subject, as after a load.
fn clock(subject: &Subject) -> TokenClock {
    TokenClock::after(subject.highest_token())
}

fn acquire(subject: &mut Subject, holder: &str, max: u64, lease: u64, now: UnixMs) -> AcquireOutcome {
    let call = Acquire { holder: holder.as_bytes(), max, lease, token: None };
    let decision = decide_acquire(Some(subject), &call, now, &clock(subject)).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    decision.reply
}

fn release(subject: &mut Subject, holder: &str, now: UnixMs) -> bool {
    let decision = decide_release(Some(subject), holder.as_bytes(), None, now).unwrap();
    decision.effect.into_iter().for_each(|effect| subject.apply(effect));
    decision.reply
}

#[test]
fn a_lock_denies_checks_and_places_until_it_ends() {
    let mut subject = Subject::default();
    subject.apply(decide_lock(None, 5_000, 1_000).effect.unwrap());
    assert_eq!(acquire(&mut subject, "h", 1, 100, 2_000).retry_after_ms, 4_000);
    let check = Check::plain(CheckRequest::parse([&b"1/1s"[..]]).unwrap());
    assert!(!decide_check(Some(&subject), &check, 5_999).unwrap().reply.allowed());
    assert!(decide_check(Some(&subject), &check, 6_000).unwrap().reply.allowed());
    assert_eq!(subject.lifetime(), Lifetime::Until(6_000));
    // A later lock replaces it, even a shorter one.
    subject.apply(decide_lock(Some(&subject), 100, 2_000).effect.unwrap());
    assert_eq!(acquire(&mut subject, "h", 1, 100, 2_000).retry_after_ms, 100);
    let decision = decide_unlock(Some(&subject), 2_000);
    assert!(decision.reply);
    subject.apply(decision.effect.unwrap());
    assert_eq!(decide_unlock(Some(&subject), 2_000), Decision::answer(false));
    assert!(acquire(&mut subject, "h", 1, 100, 2_000).allowed);
}

#[test]
fn fewer_places_than_holders_free_as_many_first() {
    let mut subject = Subject::default();
    for (holder, lease) in [("a", 100), ("b", 200), ("c", 300)] {
        assert!(acquire(&mut subject, holder, 3, lease, 1_000).allowed);
    }
    let denied = AcquireOutcome { allowed: false, in_use: 3, max: 2, retry_after_ms: 200, token: 0 };
    assert_eq!(acquire(&mut subject, "d", 2, 100, 1_000), denied);
    assert!(acquire(&mut subject, "a", 2, 100, 1_000).allowed, "who holds a place renews it");
    assert!(!acquire(&mut subject, "d", 2, 100, 1_199).allowed);
    assert!(acquire(&mut subject, "d", 2, 100, 1_200).allowed);
}

proptest! {
    #[test]
    fn places_are_held_as_a_map_would(
        calls in prop::collection::vec((0u64..40, 0u8..6, 0u64..100, 1u64..4, any::<bool>()), 1..80),
    ) {
        let mut subject = Subject::default();
        let mut model: HashMap<u8, UnixMs> = HashMap::new();
        let mut tokens: HashMap<u8, u64> = HashMap::new();
        let mut highest = 0;
        let mut now = 1_000;
        for (step, holder, lease, max, charges) in calls {
            now += step;
            model.retain(|_, end| *end > now);
            let name = holder.to_string();
            if charges {
                let call = Acquire { holder: name.as_bytes(), max, lease: lease + 1, token: None };
                let decision = decide_acquire(Some(&subject), &call, now, &TokenClock::after(highest)).unwrap();
                decision.effect.into_iter().for_each(|effect| subject.apply(effect));
                let places = decision.reply;
                let allowed = model.contains_key(&holder) || (model.len() as u64) < max;
                prop_assert_eq!(places.allowed, allowed);
                if allowed {
                    // The same token while the place is held, else a higher one than ever.
                    match model.insert(holder, now + lease + 1) {
                        Some(_) => prop_assert_eq!(tokens[&holder], places.token),
                        None => prop_assert!(places.token > highest),
                    }
                    tokens.insert(holder, places.token);
                    highest = highest.max(places.token);
                } else {
                    // Waiting that long succeeds, 1 ms less does not.
                    let after = |wait| {
                        let call = Acquire { holder: name.as_bytes(), max, lease: 1, token: None };
                        let tokens = TokenClock::new();
                        decide_acquire(Some(&subject), &call, now + wait, &tokens).unwrap().reply.allowed
                    };
                    prop_assert!(after(places.retry_after_ms) && !after(places.retry_after_ms - 1));
                }
                prop_assert_eq!(places.in_use, model.len() as u64);
            } else {
                prop_assert_eq!(release(&mut subject, &name, now), model.remove(&holder).is_some());
            }
            let copy = subject.duplicate();
            prop_assert_eq!(copy.lifetime(), Lifetime::Over, "leases stay with the original");
        }
    }
}

#[test]
fn a_token_renews_its_own_place_and_no_other() {
    let mut subject = Subject::default();
    let first = acquire(&mut subject, "h", 2, 100, 1_000);
    assert_eq!(acquire(&mut subject, "h", 2, 100, 1_050).token, first.token);
    let call = |token, now: UnixMs, subject: &Subject| {
        let call = Acquire { holder: b"h", max: 2, lease: 100, token: Some(token) };
        decide_acquire(Some(subject), &call, now, &clock(subject)).map(|decision| decision.reply)
    };
    assert_eq!(call(first.token, 1_149, &subject).unwrap().token, first.token);
    for (token, now) in [(first.token + 1, 1_149), (first.token, 1_150)] {
        assert_eq!(call(token, now, &subject).unwrap_err().code, Code::Fenced);
    }
    // Lost and acquired again: another token, which fences the first.
    let anew = acquire(&mut subject, "h", 2, 100, 1_150);
    assert!(anew.allowed && anew.token != first.token);
    assert_eq!(call(first.token, 1_150, &subject).unwrap_err().code, Code::Fenced);
    let release = |token, holder: &[u8]| decide_release(Some(&subject), holder, token, 1_150);
    assert_eq!(release(Some(first.token), b"h").unwrap_err().code, Code::Fenced);
    assert_eq!(release(Some(first.token), b"other").unwrap(), Decision::answer(false));
    assert!(release(Some(anew.token), b"h").unwrap().reply);
}

/// Tags of before 0.1.0: 11 was an acquired place.
#[test]
fn a_place_of_before_0_1_0_has_a_long_token() {
    let place = |token| Effect::Acquired { now: 1, holder: Box::from(*b"h"), until: 2, token };
    let mut head = place(64 * 9 + 1).encode();
    assert_eq!(head[0], 13);
    head[0] = 11;
    assert_eq!(Effect::decode(&head, None), Ok(place(9)));
}
