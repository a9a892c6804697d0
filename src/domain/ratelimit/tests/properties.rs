//! Properties of every history of calls: several limits, changing tiers, stepping clocks.

use crate::domain::ratelimit::*;
use crate::domain::testing::saved_form::saved;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};
use proptest::prelude::*;

/// Few names and different rules, so that names often change their count, period and kind.
fn limits() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just(""), Just("a="), Just("b=")];
    let rule = prop_oneof![
        Just("3/50ms"),
        Just("7/90ms"),
        Just("2/200ms"),
        Just("7/90ms:burst=4"),
        Just("3/50ms:burst=9"),
        Just("5/7ms:bucket"),
        Just("1/300ms:burst=3"),
        Just("4/80ms:fixed"),
        Just("inf/70ms:fixed"),
        Just("6/day@Europe/Berlin"),
        Just("9/month@UTC:anchor=31"),
        Just("0/60ms"),
        Just("0/60ms:fixed"),
    ];
    (name, rule).prop_map(|(name, rule)| format!("{name}{rule}"))
}

fn calls() -> impl Strategy<Value = Vec<(i64, Vec<String>, u64)>> {
    let step = prop_oneof![4 => 0i64..60, 1 => -40i64..0, 1 => 60i64..600];
    prop::collection::vec((step, prop::collection::vec(limits(), 1..4), 1u64..5), 1..60)
}

fn request(limits: &[String], cost: u64) -> Option<CheckRequest<'_>> {
    let mut request = CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).ok()?;
    request.set_cost(cost.to_string().as_bytes()).ok()?;
    Some(request)
}

fn allowed(state: Option<&Subject>, request: &CheckRequest<'_>, now: UnixMs) -> bool {
    decide_check(state, &Check::plain(request.clone()), now).unwrap().reply.allowed()
}

proptest! {
    #[test]
    fn every_answer_keeps_its_promises(
        start in prop_oneof![Just(1_000u64), Just(1_700_000_000_000), Just((1 << 63) - 2_000), Just(1u64 << 63)],
        calls in calls(),
    ) {
        let mut subject = Subject::default();
        let mut now = start;
        for (step, limits, cost) in &calls {
            now = now.saturating_add_signed(*step);
            let Some(request) = request(limits, *cost) else { continue };
            subject.overdue(now).into_iter().for_each(|effect| subject.apply(effect));
            let peeked = current_rows(Some(&subject), &request, now).unwrap();
            let decision = decide_check(Some(&subject), &Check::plain(request.clone()), now).unwrap();
            let verdict = &decision.reply;

            // PEEK predicts CHECK: the same answer, before what CHECK takes.
            prop_assert_eq!(peeked.allowed(), verdict.allowed());
            if verdict.allowed() {
                for (before, after) in peeked.rows().iter().zip(verdict.rows()) {
                    prop_assert_eq!(before.retry_after_ms, after.retry_after_ms);
                    prop_assert_eq!(before.used + before.cost, after.used);
                }
            }
            if !verdict.allowed() {
                prop_assert_eq!(&peeked, verdict);
            }

            // All or none, by the answer of each limit alone.
            for (row, item) in peeked.rows().iter().zip(request.items()) {
                let alone = CheckRequest::parse([&row_text(item)[..]]).map(|mut alone| {
                    alone.set_cost(cost.to_string().as_bytes()).unwrap();
                    allowed(Some(&subject), &alone, now)
                });
                prop_assert_eq!(Ok(row.allowed), alone);
            }
            prop_assert_eq!(verdict.allowed(), peeked.rows().iter().all(|row| row.allowed));

            // Waiting exactly that long succeeds when alone, 1 ms less fails.
            let retry = peeked.binding().unwrap().retry_after_ms;
            match u64::try_from(retry) {
                Ok(0) => prop_assert!(verdict.allowed()),
                Ok(MAX_SHOWN) => prop_assert!(!verdict.allowed()),
                Ok(retry) => {
                    prop_assert!(allowed(Some(&subject), &request, now + retry), "{limits:?} at {now}+{retry}");
                    prop_assert!(!allowed(Some(&subject), &request, now + retry - 1));
                }
                Err(_) => prop_assert!(request.items().iter().any(|item| item.cost > item.limit.rule.capacity())),
            }

            match decision.effect {
                None => prop_assert!(!verdict.allowed()),
                Some(effect) => {
                    let verdict = decision.reply.clone();
                    subject.apply(effect);
                    // The answer describes the state after the call.
                    let after = current_rows(Some(&subject), &request, now).unwrap();
                    for (said, is) in verdict.rows().iter().zip(after.rows()) {
                        prop_assert_eq!(
                            (said.used, said.remaining, said.reset_after_ms),
                            (is.used, is.remaining, is.reset_after_ms)
                        );
                    }
                    // An earlier clock shows no more room.
                    let earlier = current_rows(Some(&subject), &request, now - 30.min(now)).unwrap();
                    for (is, before) in after.rows().iter().zip(earlier.rows()) {
                        prop_assert!(before.remaining <= is.remaining);
                    }
                }
            }

            // When the key expires, no use is left.
            if let Lifetime::Until(until) = subject.lifetime() && until < i64::MAX as u64 {
                let (kept, gone) = (current_rows(Some(&subject), &request, until), current_rows(None, &request, until));
                prop_assert_eq!(kept, gone);
                let everything = CheckRequest::parse([]).unwrap();
                prop_assert!(current_rows(Some(&subject), &everything, until).unwrap().rows().is_empty());
                prop_assert!(!current_rows(Some(&subject), &everything, until - 1).unwrap().rows().is_empty());
            }
        }
    }

    #[test]
    fn no_unchanging_limit_is_ever_exceeded_in_any_window(calls in calls()) {
        let mut subject = Subject::default();
        let mut now = 1_700_000_000_000u64;
        let mut passed = 0;
        let mut taken: Vec<(UnixMs, String, Rule, u64)> = Vec::new();
        for (step, limits, cost) in &calls {
            // The bounds are about real time: a clock that steps back hides none of it.
            now = now.saturating_add_signed(*step);
            passed += u64::try_from(*step).unwrap_or(0);
            // Unnamed limits never change their rule.
            let unnamed = |limit: &String| limit.trim_start_matches(['a', 'b', '=']).to_owned();
            let limits: Vec<String> = limits.iter().map(unnamed).collect();
            let Some(request) = request(&limits, *cost) else { continue };
            subject.overdue(now).into_iter().for_each(|effect| subject.apply(effect));
            let before = saved(&subject);
            let decision = decide_check(Some(&subject), &Check::plain(request.clone()), now).unwrap();
            match decision.effect {
                None => prop_assert_eq!(saved(&subject), before),
                Some(effect) => {
                    subject.apply(effect);
                    for item in request.items() {
                        taken.push((passed, item.limit.rule.spec(), item.limit.rule, item.cost));
                    }
                }
            }
        }
        for (from, spec, rule, _) in &taken {
            let mut sum = 0;
            for (to, _, _, cost) in taken.iter().filter(|(at, other, _, _)| at >= from && other == spec) {
                sum += cost;
                let passed = to - from;
                match rule.kind {
                    LimitKind::Window if passed < rule.period_ms => prop_assert!(sum <= rule.count),
                    // A period can admit its count at its end, and the next one at its start.
                    LimitKind::Fixed if passed < rule.period_ms => {
                        prop_assert!(sum <= rule.count.saturating_mul(2));
                    }
                    LimitKind::Calendar(_) => prop_assert!(sum <= rule.count * 2),
                    LimitKind::Window | LimitKind::Fixed => {}
                    LimitKind::Bucket { burst } => {
                        prop_assert!(sum <= burst + passed * rule.count / rule.period_ms);
                    }
                }
            }
        }
    }
}

/// The text of a requested limit.
fn row_text(item: &RequestedLimit<'_>) -> Vec<u8> {
    let spec = item.limit.rule.spec().into_bytes();
    match item.limit.name {
        Some(name) => [name, b"=", &spec].concat(),
        None => spec,
    }
}
