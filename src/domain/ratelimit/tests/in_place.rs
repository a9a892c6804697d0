//! The short way of a plain CHECK against the general one.

use proptest::prelude::*;

use super::*;
use crate::domain::ratelimit::MAX_COUNT;
use crate::domain::ratelimit::decide::check::{Check, decide_check};
use crate::domain::ratelimit::decide::request::CheckRequest;
use crate::domain::testing::saved_form::saved;
use crate::domain::time::LONGEST;
use crate::domain::value::Value;

/// Checks one call both ways and returns whether the short way decided it. The general way goes on.
fn agree(state: &mut Subject, text: &str, cost: u64, now: UnixMs) -> bool {
    if let Some(effect) = state.overdue(now) {
        let limit = Limit::parse(text.as_bytes()).unwrap();
        assert_eq!(decide_in_place(state, &limit, cost, now), None, "overdue at {now}");
        state.apply(effect);
    }
    let limit = Limit::parse(text.as_bytes()).unwrap();
    let mut request = CheckRequest::parse([text.as_bytes()]).unwrap();
    request.set_cost(cost.to_string().as_bytes()).unwrap();
    let decision = decide_check(Some(state), &Check::plain(request), now).unwrap();
    let short = decide_in_place(state, &limit, cost, now);
    if let Some((answer, change)) = short {
        let verdict = &decision.reply;
        let row = verdict.binding().unwrap();
        let general = OneLimitAnswer {
            taken: verdict.taken_cost(),
            capacity: row.capacity,
            remaining: row.remaining,
            retry_after_ms: row.retry_after_ms,
            reset_after_ms: row.reset_after_ms,
        };
        assert_eq!(answer, general, "{text} COST {cost} at {now}");
        assert_eq!(change.is_some(), decision.effect.is_some(), "{text} COST {cost} at {now}");
        let mut changed = state.clone();
        if let Some(change) = change {
            changed.change_in_place(change);
        }
        let mut general = state.clone();
        if let Some(effect) = decision.effect.clone() {
            general.apply(effect);
        }
        assert_eq!(saved(&changed), saved(&general), "{text} COST {cost} at {now}");
        assert_eq!(changed.lifetime(), general.lifetime());
    }
    if let Some(effect) = decision.effect {
        state.apply(effect);
    }
    short.is_some()
}

fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1u64..12, 2 => 1u64..100_000, 1 => 1..=MAX_COUNT]
}

fn limits() -> impl Strategy<Value = String> {
    let period = prop_oneof![4 => 1u64..5_000, 1 => 1..=LONGEST];
    (counts(), period, prop::option::of(counts()), any::<bool>()).prop_map(
        |(count, period, burst, is_window)| match burst {
            _ if is_window => format!("{count}/{period}ms"),
            Some(burst) => format!("{count}/{period}ms:burst={burst}"),
            None => format!("{count}/{period}ms:bucket"),
        },
    )
}

/// A time, mostly a step ahead of the last one, and a cost.
fn calls() -> impl Strategy<Value = Vec<(i64, u64)>> {
    let step = prop_oneof![6 => 0i64..50, 3 => 0i64..5_000, 1 => -3_000i64..0, 1 => 0i64..1 << 40];
    let cost = prop_oneof![6 => 1u64..4, 2 => 1u64..2_000, 1 => 1..=MAX_COUNT];
    prop::collection::vec((step, cost), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_short_way_answers_and_changes_as_the_general_one(
        text in limits(),
        calls in calls(),
        start in prop_oneof![Just(1_700_000_000_000u64), 0u64..10_000, Just(1 << 62)],
    ) {
        let (mut state, mut now) = (Subject::default(), start);
        for (step, cost) in calls {
            now = now.saturating_add_signed(step);
            agree(&mut state, &text, cost, now);
        }
    }
}

#[test]
fn a_bucket_and_a_window_in_use_go_the_short_way() {
    let start = 1_700_000_000_000;
    for text in ["100/1m:bucket", "5/10s:burst=20", "10/1m", "1000000000/1d:bucket"] {
        let mut state = Subject::default();
        assert!(!agree(&mut state, text, 1, start), "a subject that holds nothing");
        for call in 1..200 {
            assert!(agree(&mut state, text, 1, start + call * 7), "{text}, call {call}");
        }
    }
}

#[test]
fn what_the_short_way_cannot_know_is_left_to_the_general_one() {
    let now = 1_700_000_000_000;
    let mut state = Subject::default();
    agree(&mut state, "10/1m:bucket", 1, now);
    for text in ["11/1m:bucket", "10/1m:burst=11", "10/1m", "n=10/1m:bucket", "10/1m:fixed", "10/day@UTC"] {
        let limit = Limit::parse(text.as_bytes()).unwrap();
        assert_eq!(decide_in_place(&state, &limit, 1, now), None, "{text}");
    }
    agree(&mut state, "10/1m", 1, now);
    let bucket = Limit::parse(b"10/1m:bucket").unwrap();
    assert_eq!(decide_in_place(&state, &bucket, 1, now), None, "two limits are held");
}
