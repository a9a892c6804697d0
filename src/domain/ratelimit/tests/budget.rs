use super::*;
use crate::domain::ratelimit::{Check, decide_check, decide_correct, decide_lock};
use crate::domain::value::Value;
use proptest::prelude::*;

const KINDS: [&str; 6] =
    ["w=9/40ms", "b=9/40ms:burst=5", "f=9/40ms:fixed", "u=inf/day@UTC", "n=0/1s", "9/25ms"];

fn request<'a>(limits: &[&'a str]) -> CheckRequest<'a> {
    CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).unwrap()
}

/// What CHECK would say to these limits at this cost, each cut to its capacity.
fn check(subject: &Subject, limits: &[&str], cost: u64, now: UnixMs) -> (bool, Option<UnixMs>) {
    let capacity = |limit: &str| request(&[limit]).items()[0].limit.rule.capacity();
    let rows = limits.iter().map(|limit| {
        let mut one = request(&[*limit]);
        let cost = if capacity(limit) == 0 { cost } else { cost.min(capacity(limit)) };
        one.set_cost_with_default(cost.to_string().as_bytes(), 1).unwrap();
        let verdict = decide_check(Some(subject), &Check::plain(one), now).unwrap().reply;
        verdict.binding().unwrap().retry_after_ms
    });
    let retries: Vec<i64> = rows.collect();
    let never = retries.iter().any(|retry| *retry < 0);
    let wait = retries.iter().copied().max().unwrap_or(0);
    (wait == 0 && !never, (!never).then(|| now + wait as u64))
}

proptest! {
    /// Taking one after the other is as good as checking each at its own cost.
    #[test]
    fn a_budget_admits_what_checks_admit_one_after_the_other(
        limits in prop::sample::subsequence(KINDS.to_vec(), 1..4),
        steps in prop::collection::vec((0..30u64, prop::collection::vec(0..12u64, 1..5), prop::option::weighted(0.1, 1..20u64)), 1..30),
    ) {
        let request = request(&limits);
        let (mut subject, mut now) = (Subject::default(), 1_000);
        for (later, costs, lock) in steps {
            now += later;
            if let Some(length) = lock {
                decide_lock(Some(&subject), length, now).effect.into_iter().for_each(|effect| subject.apply(effect));
            }
            let mut one_by_one = subject.clone();
            let before = subject.clone();
            let mut budget = Budget::of(Some(&before), &request, now).unwrap();
            let first = check(&one_by_one, &limits, costs[0], now);
            prop_assert_eq!(budget.admits_at(costs[0]), first.1);
            for cost in costs {
                let admitted = budget.try_take(cost);
                prop_assert_eq!(admitted, check(&one_by_one, &limits, cost, now).0, "{} of {:?}", cost, limits);
                if admitted {
                    let alone = one_by_one.clone();
                    let mut single = Budget::of(Some(&alone), &request, now).unwrap();
                    prop_assert!(single.try_take(cost));
                    single.effect().into_iter().for_each(|effect| one_by_one.apply(effect));
                }
            }
            budget.effect().into_iter().for_each(|effect| subject.apply(effect));
            for limit in KINDS {
                prop_assert_eq!(check(&subject, &[limit], 3, now), check(&one_by_one, &[limit], 3, now), "{}", limit);
            }
        }
    }
}

fn used(subject: &Subject, limit: &str, now: UnixMs) -> u64 {
    crate::domain::ratelimit::current_rows(Some(subject), &request(&[limit]), now).unwrap().rows()[0].used
}

/// Takes `cost` and replaces it later by the true cost.
fn take_and_correct(
    subject: &mut Subject,
    limit: &str,
    (cost, true_cost): (u64, u64),
    (at, now): (UnixMs, UnixMs),
) {
    let request = request(&[limit]);
    let before = subject.clone();
    let mut budget = Budget::of(Some(&before), &request, at).unwrap();
    assert!(budget.try_take(cost));
    budget.effect().into_iter().for_each(|effect| subject.apply(effect));
    let charges = budget.limits().charges(cost);
    decide_correct(charges, true_cost, at, now).into_iter().for_each(|effect| subject.apply(effect));
}

#[test]
fn a_correction_leaves_what_the_true_cost_would_have_left() {
    for limit in ["30/1m", "30/1m:fixed", "30/month@UTC"] {
        for (cost, true_cost) in [(5, 2), (5, 0), (5, 5), (5, 9), (0, 4), (5, 40)] {
            let mut corrected = Subject::default();
            take_and_correct(&mut corrected, limit, (3, 3), (1_000, 1_000));
            take_and_correct(&mut corrected, limit, (cost, true_cost), (2_000, 30_000));
            assert_eq!(used(&corrected, limit, 30_000), 3 + true_cost, "{limit} {cost} {true_cost}");
            // A window forgets it with the call, not with the correction.
            if limit == "30/1m" {
                assert_eq!(used(&corrected, limit, 62_000), 0, "{cost} {true_cost}");
            }
        }
    }
}

#[test]
fn what_was_to_cost_nothing_is_charged_its_true_cost() {
    for limit in ["30/1m", "30/1m:fixed", "30/month@UTC", "30/1m:burst=30"] {
        let mut alone = Subject::default();
        take_and_correct(&mut alone, limit, (0, 4), (1_000, 2_000));
        assert_eq!(used(&alone, limit, 2_000), 4, "{limit}");
        let mut beside = Subject::default();
        let request = request(&[limit]);
        let nothing = Budget::of(None, &request, 1_000).unwrap().limits().charges(0);
        take_and_correct(&mut beside, limit, (3, 3), (1_500, 1_500));
        decide_correct(nothing, 4, 1_000, 1_600).into_iter().for_each(|effect| beside.apply(effect));
        assert_eq!(used(&beside, limit, 1_600), 7, "{limit}");
    }
    // Not once the time of the POP counts no more.
    let mut late = Subject::default();
    take_and_correct(&mut late, "30/1m", (0, 4), (1_000, 61_000));
    assert_eq!(used(&late, "30/1m", 61_000), 0);
}

#[test]
fn a_bucket_gets_back_what_has_not_drained_and_owes_what_was_more() {
    // A token a second.
    let limit = "60/1m:burst=60";
    for (costs, later, expected) in [
        ((10, 4), 0, 4),
        ((10, 4), 5_000, 0),
        ((10, 0), 5_000, 0),
        ((10, 8), 2_000, 6),
        ((1, 50), 30_000, 49),
    ] {
        let mut subject = Subject::default();
        take_and_correct(&mut subject, limit, costs, (1_000, 1_000 + later));
        assert_eq!(used(&subject, limit, 1_000 + later), expected, "{costs:?} after {later}");
    }
}

#[test]
fn what_a_reset_has_forgotten_is_not_given_back_at_the_cost_of_later_calls() {
    for limit in ["30/1m", "30/1m:fixed", "30/week@UTC"] {
        let mut subject = Subject::default();
        let request = request(&[limit]);
        let mut budget = Budget::of(None, &request, 1_000).unwrap();
        assert!(budget.try_take(20));
        let charges = budget.limits().charges(20);
        subject.apply(budget.effect().unwrap());
        subject.apply(Effect::Cleared);
        take_and_correct(&mut subject, limit, (25, 25), (1_500, 1_500));
        let correction = decide_correct(charges, 1, 1_000, 2_000).unwrap();
        subject.apply(correction);
        // A calendar's period is the same whether or not it was reset.
        let expected = if limit.contains("week") { 6 } else { 25 };
        assert_eq!(used(&subject, limit, 2_000), expected, "{limit}");
    }
}
